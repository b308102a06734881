//! From a name to what it does.
//!
//! A command runs from its first word to its reply without a pause, on the loop's thread: that is
//! why every one of them is atomic, here as in Redis.

use std::borrow::Cow;
use std::fmt::Write;

use super::hub::Hub;
use super::reply::{Outcome, Refusal, Replies};
use super::request::Words;
use super::store::Store;
use super::{admin, keys, lists, strings};

/// The most bytes that one reply may hold: MGET can ask for one value a thousand times.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of a command an error repeats.
const QUOTED_MAX: usize = 128;

/// What a connection is, beyond its bytes.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) name: Vec<u8>,
    /// Whether the connection ends once its replies are written.
    pub(crate) is_leaving: bool,
    /// Most clients repeat themselves, and to find a command again costs a third of running GET.
    last: Option<&'static Command>,
}

impl Client {
    pub(crate) fn new(id: u64) -> Self {
        Client {
            id,
            name: Vec::new(),
            is_leaving: false,
            last: None,
        }
    }
}

/// One command with all it may touch.
pub(crate) struct Call<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) store: &'a mut Store,
    pub(crate) client: &'a mut Client,
    pub(crate) hub: &'a Hub,
    pub(crate) out: &'a mut Replies,
}

/// Refuses a reply that would hold so many bytes, before any is written.
pub(crate) fn allow(bytes: usize) -> Outcome {
    if bytes <= REPLY_BYTES_MAX {
        return Ok(());
    }
    let text = format!("ERR the reply would have {bytes} bytes, the limit is {REPLY_BYTES_MAX}");
    Err(Refusal(text.into()))
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The number of words with the name; if negative, the least of them.
    pub(crate) arity: i32,
    run: fn(&mut Call<'_>) -> Outcome,
}

const fn command(name: &'static str, arity: i32, run: fn(&mut Call<'_>) -> Outcome) -> Command {
    Command { name, arity, run }
}

/// By name, in order.
pub(crate) static COMMANDS: [Command; 37] = [
    command("append", 3, strings::append),
    command("client", -2, admin::client),
    command("command", -1, admin::command),
    command("config", -2, admin::config),
    command("dbsize", 1, keys::dbsize),
    command("decr", 2, strings::decr),
    command("decrby", 3, strings::decrby),
    command("del", -2, keys::del),
    command("echo", 2, admin::echo),
    command("exists", -2, keys::exists),
    command("expire", -3, keys::expire),
    command("flushall", -1, keys::flushall),
    command("get", 2, strings::get),
    command("hello", -1, admin::hello),
    command("incr", 2, strings::incr),
    command("incrby", 3, strings::incrby),
    command("info", -1, admin::info),
    command("keys", 2, keys::keys),
    command("llen", 2, lists::llen),
    command("lpop", -2, lists::lpop),
    command("lpush", -3, lists::lpush),
    command("lrange", 4, lists::lrange),
    command("mget", -2, strings::mget),
    command("mset", -3, strings::mset),
    command("persist", 2, keys::persist),
    command("pexpire", -3, keys::pexpire),
    command("ping", -1, admin::ping),
    command("pttl", 2, keys::pttl),
    command("quit", -1, admin::quit),
    command("rpop", -2, lists::rpop),
    command("rpush", -3, lists::rpush),
    command("select", 2, admin::select),
    command("set", -3, strings::set),
    command("setex", 4, strings::setex),
    command("strlen", 2, strings::strlen),
    command("ttl", 2, keys::ttl),
    command("type", 2, keys::kind),
];

/// Runs a command, and writes its reply.
pub(crate) fn run(call: &mut Call<'_>) {
    let name = call.words.at(0);
    let last = call.client.last;
    let last = last.filter(|last| name.eq_ignore_ascii_case(last.name.as_bytes()));
    let command = last.or_else(|| find(name));
    call.client.last = command;
    let outcome = match command {
        Some(command) if fits(command.arity, call.words.len()) => (command.run)(call),
        Some(command) => Err(wrong_arity(command.name)),
        None => Err(unknown(call)),
    };
    if let Err(Refusal(text)) = outcome {
        call.out.error(&text);
    }
}

fn find(name: &[u8]) -> Option<&'static Command> {
    let mut lower = [0; 16];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let found = COMMANDS.binary_search_by(|command| command.name.as_bytes().cmp(lower));
    found.ok().map(|index| &COMMANDS[index])
}

fn fits(arity: i32, words: usize) -> bool {
    let least = arity.unsigned_abs() as usize;
    words == least || arity < 0 && words > least
}

pub(crate) fn wrong_arity(name: &str) -> Refusal {
    Refusal(format!("ERR wrong number of arguments for '{name}' command").into())
}

/// Like Redis, it repeats the name and what follows, up to a length.
fn unknown(call: &mut Call<'_>) -> Refusal {
    let name = call.words.at(0);
    // A browser that was sent here speaks HTTP. It must not be taken for somebody who may give
    // commands in what follows, the body of a form.
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        call.client.is_leaving = true;
    }
    let mut args = String::new();
    for word in call.words.from(1) {
        let Some(room) = QUOTED_MAX.checked_sub(args.len()).filter(|&room| room > 0) else {
            break;
        };
        let _ = write!(args, "'{}' ", quoted(word, room));
    }
    let name = quoted(name, QUOTED_MAX);
    Refusal(format!("ERR unknown command '{name}', with args beginning with: {args}").into())
}

/// What of a word an error repeats.
pub(crate) fn quoted(word: &[u8], room: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&word[..word.len().min(room)])
}
