//! The engine: a clock, the events still to come, and chance. It knows nothing of services.
//!
//! ```text
//!                 at · after · after_lane                       next
//!   a part ──────────────────────────────► Engine<E> ──────────────────► its `handle(event)`
//!      │                                      │  ▲                            │
//!      │ cancel(key)                   lanes ─┤  └── now ── Time, Duration    │
//!      │                               heap  ─┘                              │
//!      └── Dist::sample(&mut Stream) ◄── Streams::named("client/web/arrivals")
//! ```
//!
//! * [`Time`] and [`Duration`] are whole nanoseconds. Seconds as floating point are for tables and charts.
//! * [`Engine`] hands out events in the order of their time; events of the same instant in the order in which
//!   they were scheduled. Nothing else ever decides, so a run is a function of its model and its seed.
//! * [`Streams`] give every use of chance its own [`Stream`], known by name: changing one part of a model leaves
//!   the luck of all others alone.
//! * [`Dist`] turns a stream into durations. Its arithmetic comes from `libm`, never from the system's own
//!   mathematics, and gives the same bits on every platform.
//!
//! ```
//! use blackstart::engine::{Dist, Duration, Engine, Streams};
//!
//! #[derive(Clone, Copy)]
//! enum Event { Arrived, GaveUp }
//!
//! let mut rng = Streams::new(7).named("client/web/arrivals");
//! let mut engine = Engine::new();
//! engine.after(Dist::Exponential { mean: 0.010 }.sample(&mut rng), Event::Arrived);
//! let patience = engine.after(Duration::from_secs(60), Event::GaveUp);
//!
//! while let Some(event) = engine.next() {
//!     match event {
//!         Event::Arrived => { engine.cancel(patience); }
//!         Event::GaveUp => unreachable!("a cancelled event never fires"),
//!     }
//! }
//! assert_eq!(engine.processed(), 1);
//! ```

mod dist;
mod heap;
mod lanes;
mod queue;
mod random;
#[cfg(test)]
mod reference;
mod slab;
mod time;

pub use dist::{Dist, normal_quantile};
pub use queue::{Delay, Engine, Key};
pub use random::{Stream, Streams};
pub(crate) use random::{fnv1a, mix};
pub use slab::{Handle, Slab};
pub use time::{Duration, Time};

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn the_engine_imports_nothing_from_its_siblings() {
        // Joined here, or this file would accuse itself.
        let (own, any, above) =
            (["crate", "engine"].join("::"), ["crate", ""].join("::"), ["super", "super"].join("::"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine");
        let mut files = 0;
        for entry in fs::read_dir(folder).expect("src/engine is a folder") {
            let path = entry.expect("its entries can be read").path();
            let text = fs::read_to_string(&path).expect("it holds text files only");
            for (number, line) in text.lines().enumerate() {
                let place = format!("{}:{}: {line}", path.display(), number + 1);
                assert!(!line.replace(&own, "").contains(&any), "{place}");
                assert!(!line.contains(&above), "{place}");
            }
            files += 1;
        }
        assert!(files >= 8, "the engine has at least eight files, found {files}");
    }
}
