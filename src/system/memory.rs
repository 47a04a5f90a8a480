//! The memory of an instance: what its requests hold, what they leave behind, and what happens when it is full.
//!
//! ```text
//!                     ┌───────── limit ─────────┐
//!   base │ held by the requests inside │ garbage │
//!          live: base + inside × per_request       garbage: what is of no use any more, until it is collected
//!
//!   full ─┬─ live < limit ─► collection: all stands still for `pause` + live / `speed`, then there is no garbage
//!         └─ live ≥ limit ─► killed (out of memory), with all that it held; starts again after `restart_after`
//! ```
//!
//! With g bytes of garbage from each request and a heap of H bytes of which L are live there is a collection every (H − L) / g
//! requests, which takes p + L / v. The more is held, the more often it comes *and* the longer it takes: work per request grows
//! without bound as L comes near H (R. Jones, A. Hosking, E. Moss: The Garbage Collection Handbook, 2nd ed. 2023, chapter 10:
//! the cost of tracing for each byte allocated is L / (H − L)).
//!
//! Without `collection`, memory is given back as soon as a request is answered, and there is no garbage.
//!
//! Always: garbage is less than what the limit leaves, once a collection has ended. An instance that is down holds nothing.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Key};
use crate::scenario::source::Spanned;
use crate::scenario::units::{Bandwidth, Size, Span};

/// What the requests of a service hold in the memory of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Memory")]
pub struct Spec {
    /// The memory of each replica: the heap of a runtime, or the limit of a container. At least 1 B.
    pub limit: Size,
    /// What a replica holds without any request. Default: 0 B. Must be less than the limit.
    #[serde(default)]
    pub base: Option<Size>,
    /// What a request holds from the moment it is let in until it is answered: while it waits in the queue, is worked on, and
    /// waits for calls. Default: 0 B.
    #[serde(default)]
    pub per_request: Option<Size>,
    /// What a request allocates besides when it is let in, and does not need for long. Only with `collection`. Default: 0 B.
    #[serde(default)]
    pub garbage: Option<Size>,
    /// How garbage is collected. Default: there is none; what a request held is free as soon as it is answered.
    #[serde(default)]
    pub collection: Option<Collection>,
    /// From an out-of-memory kill until the replica starts again; its `startup` comes after that. Default: 0 s.
    #[serde(default)]
    pub restart_after: Option<Span>,
}

/// A collection that stops the world: when the memory is full, everything stands still until the garbage is gone.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// What each takes, however little is live. Default: 0 s.
    #[serde(default)]
    pub pause: Option<Span>,
    /// How fast live memory is looked through, e.g. `1GiB/s`. Default: in no time.
    #[serde(default)]
    pub speed: Option<Bandwidth>,
}

impl Spec {
    /// What is wrong with the options, and ways out.
    pub(crate) fn problems(spec: &Spanned<Self>) -> Vec<(String, String)> {
        let bytes = |size: Option<Size>| size.map_or(0, |it| it.0);
        let mut found = Vec::new();
        if spec.limit.0 == 0 {
            found.push(("a memory of nothing".into(), "give `limit` a size, e.g. 512MiB".into()));
        } else if bytes(spec.base) >= spec.limit.0 {
            found.push((
                "an instance that holds all of its memory without any request can never serve one".into(),
                "make `base` less than `limit`".into(),
            ));
        }
        let one = bytes(spec.base).saturating_add(bytes(spec.per_request)).saturating_add(bytes(spec.garbage));
        if spec.limit.0 > bytes(spec.base) && one >= spec.limit.0 {
            found.push((
                "a request needs more memory than there is".into(),
                "make `limit` more than `base`, `per_request` and `garbage` together".into(),
            ));
        }
        if bytes(spec.per_request) == 0 && bytes(spec.garbage) == 0 {
            found.push((
                "requests that hold nothing fill no memory".into(),
                "give `per_request` a size, e.g. 1MiB".into(),
            ));
        }
        match &spec.collection {
            None if bytes(spec.garbage) > 0 => found.push((
                "garbage that is never collected fills any memory".into(),
                "say how it is collected, e.g. `collection: { pause: 10ms, speed: 1GiB/s }`".into(),
            )),
            Some(Collection { pause: None, speed: None }) => found.push((
                "a collection that takes no time".into(),
                "give it a `pause`, or a `speed`; or leave `collection` and `garbage` out".into(),
            )),
            _ => {}
        }
        found
    }
}

/// Something happens to the memory of an instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// It may be full.
    Full(u32),
    /// A collection has ended.
    Collected(u32),
    /// An instance that was killed starts again.
    Restarts(u32),
}

/// What is taken is measured in so many parts of the limit: bytes times nanoseconds would soon be too many.
pub(crate) const PARTS: u64 = 10_000;

/// What is done about a memory that is full.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Full {
    /// It is not, any more; or something is done already.
    Not,
    /// All stands still for so long.
    Collect(Duration),
    /// The instance is killed.
    Kill,
}

/// The memory of an instance.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: u64,
    base: u64,
    per_request: u64,
    /// Left behind by each request at its start, and at its end.
    garbage_of: (u64, u64),
    collection: Option<Collection>,
    garbage: u64,
    /// The end of the collection that is under way.
    pub(super) collects: Option<Key>,
}

impl Memory {
    pub(crate) fn new(spec: &Spec) -> Self {
        let bytes = |size: Option<Size>| size.map_or(0, |it| it.0);
        let per_request = bytes(spec.per_request);
        let afterwards = if spec.collection.is_some() { per_request } else { 0 };
        Self {
            limit: spec.limit.0,
            base: bytes(spec.base),
            per_request,
            garbage_of: (bytes(spec.garbage), afterwards),
            collection: spec.collection,
            garbage: 0,
            collects: None,
        }
    }

    fn live(&self, inside: u32) -> u64 {
        self.base.saturating_add(self.per_request.saturating_mul(u64::from(inside)))
    }

    fn used(&self, inside: u32) -> u64 {
        self.live(inside).saturating_add(self.garbage)
    }

    /// What is taken while so many requests are there, in parts of the limit, of which there are [`PARTS`]. What comes in the instant in which
    /// it is full would wait for its memory.
    pub(crate) fn taken(&self, inside: u32) -> i64 {
        let used = self.used(inside).min(self.limit);
        (u128::from(used) * u128::from(PARTS) / u128::from(self.limit)) as i64
    }

    /// A request was let in. Returns whether something must be done.
    pub(super) fn came(&mut self, inside: u32) -> bool {
        self.garbage = self.garbage.saturating_add(self.garbage_of.0);
        self.used(inside) >= self.limit
    }

    /// A request has left.
    pub(super) fn left(&mut self) {
        self.garbage = self.garbage.saturating_add(self.garbage_of.1);
    }

    /// What is to be done.
    pub(super) fn full(&self, inside: u32) -> Full {
        let live = self.live(inside);
        if self.collects.is_some() || self.used(inside) < self.limit {
            return Full::Not;
        }
        match &self.collection {
            Some(collection) if live < self.limit => {
                let fixed = collection.pause.map_or(Duration::ZERO, |pause| pause.0);
                let tracing = collection.speed.map_or(0.0, |speed| live as f64 / speed.0);
                Full::Collect(fixed + Duration::from_secs_f64(tracing))
            }
            _ => Full::Kill,
        }
    }

    /// A collection has ended.
    pub(super) fn collected(&mut self) {
        (self.garbage, self.collects) = (0, None);
    }

    /// The process is gone. Returns the end of the collection that was under way.
    pub(super) fn clear(&mut self) -> Option<Key> {
        self.garbage = 0;
        self.collects.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn memory(collection: Option<Collection>) -> Memory {
        let garbage = collection.is_some().then_some(Size(2 * MIB));
        let size = |mib: u64| Some(Size(mib * MIB));
        Memory::new(&Spec {
            limit: Size(100 * MIB),
            base: size(20),
            per_request: size(10),
            garbage,
            collection,
            restart_after: None,
        })
    }

    #[test]
    fn without_garbage_what_was_held_is_free_again_and_the_eighth_request_is_too_much() {
        let mut memory = memory(None);
        for inside in 1..8 {
            assert!(!memory.came(inside), "{inside} hold {} MiB", memory.used(inside) / MIB);
        }
        assert!(memory.came(8));
        assert_eq!(memory.full(8), Full::Kill);
        memory.left();
        assert_eq!((memory.used(7), memory.full(7)), (90 * MIB, Full::Not));
    }

    #[test]
    fn a_collection_takes_its_pause_and_the_time_to_look_through_what_is_live() {
        let pause = Some("10ms".parse().expect("a span"));
        let mut memory = memory(Some(Collection { pause, speed: Some(Bandwidth(100.0 * MIB as f64)) }));
        // One at a time: each leaves 2 + 10 MiB, and the seventh, inside, holds 10 more.
        for _ in 0..5 {
            assert!(!memory.came(1));
            memory.left();
        }
        assert!(!memory.came(1), "20 + 10 + 60 + 2");
        memory.left();
        assert!(memory.came(1), "20 + 10 + 72 + 2");
        // 30 MiB are live: 10 ms and 300 ms.
        assert_eq!(memory.full(1), Full::Collect(Duration::from_millis(310)));
        memory.collected();
        assert_eq!((memory.used(1), memory.full(1)), (30 * MIB, Full::Not));
    }

    #[test]
    fn what_is_live_cannot_be_collected() {
        let mut memory = memory(Some(Collection { pause: None, speed: Some(Bandwidth(1e9)) }));
        for inside in 1..8 {
            memory.came(inside);
        }
        assert_eq!(memory.full(7), Full::Collect(Duration::from_secs_f64(90.0 * MIB as f64 / 1e9)));
        memory.collected();
        assert!(memory.came(8));
        assert_eq!(memory.full(8), Full::Kill);
    }
}
