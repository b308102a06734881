//! Every limit of the server, as an option.

use std::env;
use std::error::Error;
use std::time::Duration;

use tourbillon::server::{AccessLog, Config, Listen, Overload, TrustedPeers};
use tourbillon::web::StaticFiles;

pub(crate) const USAGE: &str = "\
usage: server [OPTION VALUE]...

  --port N                 where to listen on 127.0.0.1; also the variable PORT; 0 takes a free one
  --address A:P            where to listen, in full
  --listen WHERE           there instead, may come again: A:P, unix:PATH, fd:N or systemd
  --reuse-port on|off      whether other processes may listen on the same port
  --backlog N              connections the kernel completes before they are accepted
  --connections-max N      connections open at once
  --refuse-connections on|off        answer 503 beyond that, not wait
  --requests-in-flight-max N         requests answered at once
  --overload WHAT          beyond that: refuse, pause, or queue:LEN:TIME, such as queue:100:2s
  --retry-after T          in the 503s; 0s leaves it out
  --proxy-protocol PEERS   who begins with a PROXY head: addresses and networks, by commas
  --head-bytes-max N       longest request head
  --target-bytes-max N     longest request target
  --headers-max N          most header fields in a request
  --body-bytes-max N       longest request body
  --head-timeout T         from the first byte of a head to its last (10s, 500ms)
  --body-timeout T         between two reads of a body
  --body-rate-min N        least bytes of body per second, on average; 0 is none
  --body-rate-grace T      how long a body may take before that rate is asked for
  --keep-alive T           between an answer and the next request
  --requests-per-connection-max N   the last answer on a connection closes it
  --write-timeout T        between two writes that the client takes in
  --half-close-timeout T   for a handler whose client has closed its sending side
  --linger-timeout T       for bytes nobody wants after a final answer
  --startup-timeout T      for the lifespan's startup
  --shutdown-delay T       goes on serving for so long once told to stop, not ready any more
  --graceful-timeout T     for running requests once told to stop
  --access-log FORM        on, off, json, or a pattern such as '%(h)s %(r)s %(s)s'
  --files DIR              serve what is below it under /files/";

pub(crate) type Options = (Config, Option<StaticFiles>);

/// Reads the options. `None` is a call for help.
pub(crate) fn parse(
    mut args: impl Iterator<Item = String>,
) -> Result<Option<Options>, Box<dyn Error>> {
    let mut config = Config::default();
    let mut files = None;
    if let Ok(port) = env::var("PORT") {
        let port = port
            .parse()
            .map_err(|_| format!("PORT={port} is no port"))?;
        config.address.set_port(port);
    }
    while let Some(option) = args.next() {
        if option == "--help" || option == "-h" {
            return Ok(None);
        }
        let value = args
            .next()
            .ok_or_else(|| format!("{option} needs a value"))?;
        if option == "--files" {
            let site =
                StaticFiles::new(&value).map_err(|why| format!("{option} {value}: {why}"))?;
            files = Some(site.precompressed(true).listing(true));
            continue;
        }
        set(&mut config, &option, &value).map_err(|why| format!("{option} {value}: {why}"))?;
    }
    Ok(Some((config, files)))
}

fn set(config: &mut Config, option: &str, value: &str) -> Result<(), Box<dyn Error>> {
    let limits = &mut config.limits;
    match option {
        "--port" => config.address.set_port(value.parse()?),
        "--address" => config.address = value.parse()?,
        "--listen" => config.listen.push(listen(value)?),
        "--reuse-port" => config.reuse_port = switch(value)?,
        "--backlog" => config.backlog = value.parse()?,
        "--connections-max" => config.connections_max = value.parse()?,
        "--refuse-connections" => config.refuse_connections = switch(value)?,
        "--requests-in-flight-max" => config.requests_in_flight_max = value.parse()?,
        "--overload" => config.overload = overload(value)?,
        "--retry-after" => config.retry_after = time(value)?,
        "--proxy-protocol" => config.proxy_protocol = Some(TrustedPeers::new(value.split(','))?),
        "--head-bytes-max" => limits.head_bytes_max = value.parse()?,
        "--target-bytes-max" => limits.target_bytes_max = value.parse()?,
        "--headers-max" => limits.headers_max = value.parse()?,
        "--body-bytes-max" => limits.body_bytes_max = value.parse()?,
        "--head-timeout" => config.head_timeout = time(value)?,
        "--body-timeout" => config.body_timeout = time(value)?,
        "--body-rate-min" => config.body_rate_min = value.parse()?,
        "--body-rate-grace" => config.body_rate_grace = time(value)?,
        "--requests-per-connection-max" => config.requests_per_connection_max = value.parse()?,
        "--keep-alive" => config.keep_alive = time(value)?,
        "--write-timeout" => config.write_timeout = time(value)?,
        "--half-close-timeout" => config.half_close_timeout = time(value)?,
        "--linger-timeout" => config.linger_timeout = time(value)?,
        "--startup-timeout" => config.startup_timeout = time(value)?,
        "--shutdown-delay" => config.shutdown_delay = time(value)?,
        "--graceful-timeout" => config.graceful_timeout = time(value)?,
        "--access-log" => {
            config.access_log = match value {
                "on" => AccessLog::default(),
                "off" => AccessLog::off(),
                "json" => AccessLog::json(),
                pattern => AccessLog::pattern(pattern)?,
            }
        }
        _ => return Err("there is no such option".into()),
    }
    Ok(())
}

fn listen(text: &str) -> Result<Listen, Box<dyn Error>> {
    Ok(match text.split_once(':') {
        Some(("unix", path)) => Listen::Unix {
            path: path.into(),
            mode: None,
        },
        Some(("fd", number)) => Listen::Fd(number.parse()?),
        None if text == "systemd" => Listen::Systemd,
        _ => Listen::Tcp(text.parse()?),
    })
}

fn overload(text: &str) -> Result<Overload, Box<dyn Error>> {
    let parts: Vec<&str> = text.split(':').collect();
    Ok(match parts[..] {
        ["refuse"] => Overload::Refuse,
        ["pause"] => Overload::Pause,
        ["queue", len_max, wait_max] => Overload::Queue {
            len_max: len_max.parse()?,
            wait_max: time(wait_max)?,
        },
        _ => return Err("refuse, pause or queue:LEN:TIME is expected".into()),
    })
}

fn switch(text: &str) -> Result<bool, Box<dyn Error>> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off is expected".into()),
    }
}

/// Reads `10s` or `500ms`.
fn time(text: &str) -> Result<Duration, Box<dyn Error>> {
    if let Some(ms) = text.strip_suffix("ms") {
        return Ok(Duration::from_millis(ms.parse()?));
    }
    let seconds = text
        .strip_suffix('s')
        .ok_or("a time such as 10s or 500ms is expected")?;
    Ok(Duration::try_from_secs_f64(seconds.parse()?)?)
}
