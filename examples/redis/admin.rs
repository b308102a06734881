//! Commands about the connection and the server: what clients ask before they begin.

use super::commands::{COMMANDS, Call, quoted, wrong_arity};
use super::keys::no_more_words;
use super::reply::{NOT_AN_INTEGER, Outcome, Refusal};
use super::request::integer;

const BAD_NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";
const NO_INT: &str = "ERR value is out of range, value must between -2147483648 and 2147483647";
const BAD_VERSION: &str = "ERR Protocol version is not an integer or out of range";

pub(super) fn ping(call: &mut Call<'_>) -> Outcome {
    no_more_words(call, "ping", 2)?;
    match call.words.from(1).next() {
        Some(text) => call.out.bulk(text),
        None => call.out.simple("PONG"),
    }
    Ok(())
}

pub(super) fn echo(call: &mut Call<'_>) -> Outcome {
    call.out.bulk(call.words.at(1));
    Ok(())
}

pub(super) fn quit(call: &mut Call<'_>) -> Outcome {
    call.client.is_leaving = true;
    call.out.ok();
    Ok(())
}

/// There is one database.
pub(super) fn select(call: &mut Call<'_>) -> Outcome {
    match integer(call.words.at(1)) {
        Some(0) => call.out.ok(),
        Some(number) if i32::try_from(number).is_err() => return Err(Refusal(NO_INT.into())),
        Some(_) => return Err(Refusal("ERR DB index is out of range".into())),
        None => return Err(NOT_AN_INTEGER),
    }
    Ok(())
}

pub(super) fn client(call: &mut Call<'_>) -> Outcome {
    let (words, name) = (call.words, call.words.at(1).to_ascii_lowercase());
    match (&name[..], words.len()) {
        (b"setname", 3) => {
            set_name(call, words.at(2))?;
            call.out.ok();
        }
        (b"getname", 2) if call.client.name.is_empty() => call.out.null(),
        (b"getname", 2) => call.out.bulk(&call.client.name),
        (b"id", 2) => call.out.integer(call.client.id as i64),
        (b"setinfo", 4) => call.out.ok(),
        (b"setname" | b"getname" | b"id" | b"setinfo", _) => {
            return Err(wrong_arity(&format!("client|{}", quoted(&name, 16))));
        }
        _ => return Err(unknown_subcommand(words.at(1), "CLIENT")),
    }
    Ok(())
}

/// A name stands in lists, where a blank would part it.
fn set_name(call: &mut Call<'_>, name: &[u8]) -> Outcome {
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(Refusal(BAD_NAME.into()));
    }
    call.client.name = name.to_vec();
    Ok(())
}

fn unknown_subcommand(name: &[u8], of: &str) -> Refusal {
    let name = quoted(name, 128);
    Refusal(format!("ERR unknown subcommand '{name}'. Try {of} HELP.").into())
}

/// Says who we are; only version 2 of the protocol is spoken.
pub(super) fn hello(call: &mut Call<'_>) -> Outcome {
    let mut words = call.words.from(1);
    if let Some(version) = words.next() {
        let version = integer(version).ok_or(Refusal(BAD_VERSION.into()))?;
        if version != 2 {
            return Err(Refusal("NOPROTO unsupported protocol version".into()));
        }
    }
    while let Some(word) = words.next() {
        let value = words
            .next()
            .filter(|_| word.eq_ignore_ascii_case(b"SETNAME"));
        let Some(name) = value else {
            let word = quoted(word, 128);
            return Err(Refusal(
                format!("ERR Syntax error in HELLO option '{word}'").into(),
            ));
        };
        set_name(call, name)?;
    }
    let facts = [
        ("server", "tourbillon"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("mode", "standalone"),
        ("role", "master"),
    ];
    // A map of protocol 3 is a flat array in protocol 2.
    call.out.array(14);
    for (name, value) in facts {
        call.out.bulk(name.as_bytes());
        call.out.bulk(value.as_bytes());
    }
    call.out.bulk(b"proto");
    call.out.integer(2);
    call.out.bulk(b"id");
    call.out.integer(call.client.id as i64);
    call.out.bulk(b"modules");
    call.out.array(0);
    Ok(())
}

/// COMMAND, COMMAND COUNT and COMMAND DOCS: names and arities, and no documents.
pub(super) fn command(call: &mut Call<'_>) -> Outcome {
    let Some(word) = call.words.from(1).next() else {
        call.out.array(COMMANDS.len());
        for command in &COMMANDS {
            // Name, arity, flags, and where its keys are: nowhere known.
            call.out.array(6);
            call.out.bulk(command.name.as_bytes());
            call.out.integer(command.arity.into());
            call.out.array(0);
            (0..3).for_each(|_| call.out.integer(0));
        }
        return Ok(());
    };
    match &word.to_ascii_lowercase()[..] {
        b"count" => call.out.count(COMMANDS.len()),
        b"docs" => call.out.array(0),
        _ => return Err(unknown_subcommand(word, "COMMAND")),
    }
    Ok(())
}

/// CONFIG GET only: what is set, is set on the command line.
pub(super) fn config(call: &mut Call<'_>) -> Outcome {
    if !call.words.at(1).eq_ignore_ascii_case(b"get") {
        return Err(unknown_subcommand(call.words.at(1), "CONFIG"));
    }
    if call.words.len() < 3 {
        return Err(wrong_arity("config|get"));
    }
    let settings = [
        ("appendonly", String::from("no")),
        ("databases", String::from("1")),
        ("maxclients", call.hub.clients_max.to_string()),
        ("proto-max-bulk-len", call.hub.limits.bulk_max.to_string()),
        ("save", String::new()),
    ];
    let is_asked = |name: &str| {
        let mut words = call.words.from(2);
        words.any(|word| word == b"*" || word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let asked: Vec<_> = settings
        .into_iter()
        .filter(|(name, _)| is_asked(name))
        .collect();
    call.out.array(2 * asked.len());
    for (name, value) in asked {
        call.out.bulk(name.as_bytes());
        call.out.bulk(value.as_bytes());
    }
    Ok(())
}

pub(super) fn info(call: &mut Call<'_>) -> Outcome {
    let (hub, stats) = (call.hub, tourbillon::stats());
    let text = format!(
        "# Server\r\n\
         redis_mode:standalone\r\n\
         tourbillon_version:{}\r\n\
         process_id:{}\r\n\
         tcp_port:{}\r\n\
         uptime_in_seconds:{}\r\n\
         \r\n\
         # Clients\r\n\
         connected_clients:{}\r\n\
         maxclients:{}\r\n\
         \r\n\
         # Stats\r\n\
         total_connections_received:{}\r\n\
         total_commands_processed:{}\r\n\
         rejected_connections:{}\r\n\
         expired_keys:{}\r\n\
         \r\n\
         # Loop\r\n\
         turns:{}\r\n\
         parks:{}\r\n\
         polls:{}\r\n\
         timers_fired:{}\r\n\
         timers_waiting:{}\r\n\
         \r\n\
         # Keyspace\r\n\
         db0:keys={}\r\n",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        hub.port,
        hub.started.elapsed().as_secs(),
        hub.client_count(),
        hub.clients_max,
        hub.accepted.get(),
        hub.commands.get(),
        hub.rejected.get(),
        call.store.expired(),
        stats.turns,
        stats.parks,
        stats.polls,
        stats.timers_fired,
        stats.timers_waiting,
        call.store.len(),
    );
    call.out.bulk(text.as_bytes());
    Ok(())
}
