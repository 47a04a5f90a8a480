//! connection_pool: calls go over connections that are kept, so many at once; who finds none free waits for one.
//!
//! ```text
//!   enter ─► a place is free? ─► an idle connection to the replica? ─► send over it
//!               │ no                │ no
//!               │                   └─► open one: a handshake first ─► send over it
//!               └─► wait in line, at most `max_wait`; refused if too many wait
//!
//!   leave ─► answered? ─► the connection is idle, and the first to be used again
//!               └─► given up, or the other side was gone ─► closed
//! ```
//!
//! The places and the line are here; the connections themselves, and what they cost the server, are in
//! [`crate::system::connections`]. Always: calls inside ≤ `size`, and connections open ≤ `size`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream};
use crate::outcome::{Outcome, Refuser};
use crate::scenario::units::{Share, Span};
use crate::short_form;

/// Send calls over connections that are kept. Short form: `connection_pool: 10`.
///
/// One for each caller instance and each call that lists it, as of a data source or an HTTP client. It stands innermost:
/// only a `timeout` may be inside it, which then limits the exchange without the wait for a place. What a new connection costs
/// is said by the service that is called: `connections`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<u32>)]
#[schemars(rename = "ConnectionPool")]
pub struct Spec {
    /// Calls that it lets through at once, and the most connections that are open, over all replicas together: one to another
    /// replica takes the room of the idle one that was used longest ago. (HikariCP's `maximumPoolSize`, Apache HttpClient's
    /// `maxTotal`.)
    pub size: u32,
    /// The longest wait for a place. Default: no limit (only the caller's own timeouts end it). (HikariCP's `connectionTimeout`,
    /// 30 s there.)
    #[serde(default)]
    pub max_wait: Option<Span>,
    /// Calls that may wait for a place; one more is refused. Default: no limit. (Envoy's `max_pending_requests`, 1024 there.)
    #[serde(default)]
    pub waiting: Option<u32>,
    /// A connection that has been idle for this long is closed. Default: never. (HikariCP's `idleTimeout`, 10 min there.)
    #[serde(default)]
    pub idle_timeout: Option<Span>,
    /// A connection this old is closed as soon as it is idle. Default: never. (HikariCP's `maxLifetime`, 30 min there.)
    #[serde(default)]
    pub max_lifetime: Option<Span>,
    /// The lifetime of each connection is shorter by a share that is drawn between nothing and this one, so that those which were
    /// opened together do not end together. Default: 0. (2.5 % in HikariCP.)
    #[serde(default)]
    pub lifetime_jitter: Option<Share>,
    /// Calls that share a connection at once. With 1 a call that is given up closes its connection, because an answer may still come
    /// on it (HTTP/1, JDBC); with more only its stream ends (HTTP/2's `max_concurrent_streams`). Default: 1.
    #[serde(default)]
    pub streams: Option<u32>,
    /// Connections that are open at the start of the run, to the replicas in turn, at most `size`. A process that starts later has none.
    /// Default: 0.
    #[serde(default)]
    pub warm: Option<u32>,
}

short_form!(Spec, u32, |size| Spec {
    size,
    max_wait: None,
    waiting: None,
    idle_timeout: None,
    max_lifetime: None,
    lifetime_jitter: None,
    streams: None,
    warm: None,
});

/// What becomes of the connections of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keeping {
    /// Open at most.
    pub size: u32,
    /// Calls at once on each.
    pub streams: u32,
    /// Closed after so long without a call.
    pub idle: Duration,
    /// Closed at this age.
    pub lifetime: Duration,
    /// The largest share by which that is shorter.
    pub jitter: f64,
    /// Open at the start.
    pub warm: u32,
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |what: &str, way_out: &str| found.push((what.to_owned(), way_out.to_owned()));
        if self.size == 0 {
            wrong("a pool without a connection lets no call pass", "give `size` at least 1");
        }
        if self.max_wait.is_some() && self.waiting == Some(0) {
            wrong(
                "`max_wait` has no effect where nobody may wait",
                "give `waiting` at least 1, or leave `max_wait` out",
            );
        }
        if self.idle_timeout.is_some_and(|it| it.0.is_zero()) {
            wrong(
                "a connection that may not be idle is never used again",
                "give `idle_timeout` a time, or leave the pool out and count each call's handshake as work",
            );
        }
        if self.max_lifetime.is_some_and(|it| it.0.is_zero()) {
            wrong("a connection that ends at once is never used again", "give `max_lifetime` a time");
        }
        match self.lifetime_jitter {
            Some(_) if self.max_lifetime.is_none() => {
                wrong("`lifetime_jitter` has no effect without `max_lifetime`", "give both, or leave it out");
            }
            Some(Share(jitter)) if jitter >= 1.0 => {
                wrong("a lifetime that is shorter by all of it is none", "give `lifetime_jitter` less than 100%");
            }
            _ => {}
        }
        if self.streams == Some(0) {
            wrong("a connection without a stream carries no call", "give `streams` at least 1");
        }
        if self.warm.is_some_and(|warm| warm > self.size) {
            wrong("more connections are open at the start than there may be", "give `warm` at most `size`");
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "connection_pool"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(Places {
            size: self.size,
            free: self.size,
            most: self.waiting.map_or(usize::MAX, |most| most as usize),
            wait: self.max_wait.map_or(Duration::FOREVER, |span| span.0),
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::ConnectionPool
    }
    fn keeps_connections(&self) -> Option<Keeping> {
        let time = |span: Option<Span>| span.map_or(Duration::FOREVER, |span| span.0);
        Some(Keeping {
            size: self.size,
            streams: self.streams.unwrap_or(1),
            idle: time(self.idle_timeout),
            lifetime: time(self.max_lifetime),
            jitter: self.lifetime_jitter.map_or(0.0, |share| share.0),
            warm: self.warm.unwrap_or(0),
        })
    }
}

/// The places of a pool.
#[derive(Debug)]
struct Places {
    size: u32,
    free: u32,
    /// How many may wait, and for how long.
    most: usize,
    wait: Duration,
}

impl Policy for Places {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if self.free > 0 {
            self.free -= 1;
            Enter::Proceed
        } else if passage.waiting < self.most && !self.wait.is_zero() {
            // Since when it waits, for the measurements.
            *passage.word = passage.now.nanos();
            Enter::Wait { at_most: self.wait }
        } else {
            Enter::Refuse
        }
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        self.free += 1;
        assert!(self.free <= self.size, "a place of a connection pool came back twice");
        Leave::Pass
    }
    fn has_room(&self) -> bool {
        self.free > 0
    }
    fn at_rest(&self) -> bool {
        self.free == self.size
    }
    fn reset(&mut self) {
        self.free = self.size;
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{mistakes, story};
    use super::*;

    #[test]
    fn who_finds_no_place_waits_for_one() {
        let wait = Enter::Wait { at_most: Duration::from_millis(30) };
        story("connection_pool: { size: 2, max_wait: 30ms }")
            .begins("a")
            .begins("b")
            .enters("c", wait)
            .enters("d", wait)
            .ends("b", Outcome::Ok)
            .calls_in("c")
            .has_no_room()
            .abandons("a")
            .calls_in("d")
            .ends("c", Outcome::Unreachable)
            .ends("d", Outcome::Ok)
            .rests();
    }

    #[test]
    fn without_a_limit_any_number_waits_for_ever() {
        let wait = Enter::Wait { at_most: Duration::FOREVER };
        story("connection_pool: 1").begins("a").enters("b", wait).enters("c", wait);
        story("connection_pool: { size: 1, waiting: 1 }").begins("a").enters("b", wait).refuses();
        story("connection_pool: { size: 1, max_wait: 0 }").begins("a").refuses();
    }

    #[test]
    fn a_restart_gives_all_places_back() {
        story("connection_pool: 1").begins("a").abandons("a").restarts().begins("b");
    }

    #[test]
    fn options_without_sense_are_refused() {
        for (options, said) in [
            ("size: 0", "lets no call pass"),
            ("size: 1, max_wait: 1s, waiting: 0", "nobody may wait"),
            ("size: 1, idle_timeout: 0s", "never used again"),
            ("size: 1, max_lifetime: 0s", "never used again"),
            ("size: 1, lifetime_jitter: 10%", "without `max_lifetime`"),
            ("size: 1, max_lifetime: 1s, lifetime_jitter: 100%", "is none"),
            ("size: 1, streams: 0", "carries no call"),
            ("size: 1, warm: 2", "more connections are open at the start"),
        ] {
            let found = mistakes(&format!("connection_pool: {{ {options} }}"));
            assert!(found.len() == 1 && found[0].0.contains(said), "{options}: {found:?}");
        }
        assert_eq!(mistakes("connection_pool: 1"), []);
    }
}
