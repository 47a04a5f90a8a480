//! The engine proper: a clock, and the events still to come.
//!
//! ```text
//!   at, after ───► heap ──┐                      slots
//!                         ├─ the least key ────► { key, event } ──► next()
//!   after_lane ──► lanes ─┘        │                  ▲
//!                                  │                  │ cancel: free the slot
//!   key:  time (64 bits) │ sequence (40 bits) │ slot (24 bits)
//! ```
//!
//! One number orders everything: by time, and at the same time by order of scheduling. A key in the heap or in a
//! lane whose slot has been freed or taken over by another event is dead; it is dropped when it surfaces, and all
//! of them are swept out when the dead outnumber the living. So cancelling costs a few instructions, and memory
//! follows what is alive.
//!
//! Always: the clock never goes back. Every live key is in exactly one place, heap or lane. Dead keys are at most
//! as many as live ones, and [`SPARE`].

use crate::engine::heap::Heap;
use crate::engine::lanes::Lanes;
use crate::engine::time::{Duration, Time};

/// Low bits of a key that say in which slot the event lies.
const SLOT_BITS: u32 = 24;

/// The slot part of a key. All ones is no slot: the end of the free list, and [`Key::NONE`].
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// Dead keys that are not worth a sweep.
const SPARE: usize = 64;

/// The last instant at which something can happen.
const LAST: Time = Time::from_nanos(u64::MAX - 1);

/// Names a scheduled event, for cancelling it. Keys are never used twice, so an old one is harmless.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// Names no event. Cancelling it does nothing.
    pub const NONE: Key = Key(u64::MAX);

    #[inline]
    const fn slot(self) -> usize {
        (self.0 & SLOT_MASK) as usize
    }
}

impl Default for Key {
    fn default() -> Self {
        Key::NONE
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Key::NONE => f.write_str("Key(none)"),
            Key(bits) => write!(f, "Key({})", bits >> SLOT_BITS),
        }
    }
}

/// A constant delay, prepared by [`Engine::lane`] when the model is built. Belongs to the engine that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    duration: Duration,
    lane: Option<u8>,
}

impl Delay {
    /// How long the delay is.
    #[inline]
    pub const fn duration(self) -> Duration {
        self.duration
    }
}

/// Where an event lies while it waits.
#[derive(Clone, Copy, Debug)]
struct Slot<E> {
    /// Low half of the event's key. In a free slot, the next free one: its sequence part is then zero, which is
    /// no event's.
    key: u64,
    event: E,
}

/// A clock and the events still to come. See the top of this file.
#[derive(Clone, Debug)]
pub struct Engine<E: Copy> {
    now: Time,
    heap: Heap,
    lanes: Lanes,
    slots: Vec<Slot<E>>,
    /// The first free slot; all ones when there is none.
    free: u64,
    /// Sequence of the latest event, already shifted to its place in a key. The first event has 1.
    sequence: u64,
    live: usize,
    dead: usize,
    processed: u64,
    crowd: u64,
}

impl<E: Copy> Default for Engine<E> {
    fn default() -> Self {
        Engine::new()
    }
}

impl<E: Copy> Engine<E> {
    /// An engine at [`Time::ZERO`] with nothing to do.
    pub fn new() -> Self {
        Engine {
            now: Time::ZERO,
            heap: Heap::default(),
            lanes: Lanes::new(),
            slots: Vec::new(),
            free: SLOT_MASK,
            sequence: 0,
            live: 0,
            dead: 0,
            processed: 0,
            crowd: 0,
        }
    }

    /// The present: the time of the event delivered last.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Schedules an event. At the present instant it comes after all others that are already scheduled for it.
    /// An event at [`Time::NEVER`] never comes: it is not stored, and its key is [`Key::NONE`].
    ///
    /// # Panics
    ///
    /// When `when` is past: a part that schedules into the past has miscalculated. And when 16 million events
    /// are pending, or 10^12 have been scheduled: the limits of a run lie far below.
    #[inline]
    pub fn at(&mut self, when: Time, event: E) -> Key {
        assert!(when >= self.now, "an event was scheduled for {when}, but it is {} already", self.now);
        if when == Time::NEVER {
            return Key::NONE;
        }
        let key = self.store(event);
        self.heap.push(whole(when, key));
        key
    }

    /// Schedules an event `delay` from now. After [`Duration::FOREVER`] it never comes, as with [`Engine::at`].
    #[inline]
    pub fn after(&mut self, delay: Duration, event: E) -> Key {
        self.at(self.now + delay, event)
    }

    /// Prepares a constant delay, when the model is built. The first sixteen different ones are served by queues
    /// of their own, which is faster than the heap; later ones by the heap. Nobody can tell but by the clock on
    /// the wall: the order of events is the same.
    pub fn lane(&mut self, delay: Duration) -> Delay {
        let lane = if delay == Duration::FOREVER { None } else { self.lanes.open(delay) };
        Delay { duration: delay, lane: lane.map(|lane| lane as u8) } // at most sixteen
    }

    /// Schedules an event after a delay prepared by [`Engine::lane`]; the same as [`Engine::after`], but faster.
    #[inline]
    pub fn after_lane(&mut self, delay: Delay, event: E) -> Key {
        let Some(lane) = delay.lane.map(usize::from) else {
            return self.after(delay.duration, event);
        };
        let when = self.now + delay.duration;
        if when == Time::NEVER {
            return Key::NONE;
        }
        assert!(self.lanes.delay(lane) == Some(delay.duration), "a delay belongs to the engine that made it");
        let key = self.store(event);
        self.lanes.push(lane, whole(when, key));
        key
    }

    /// Takes back an event: it will not fire. True when it was still to come; false when it has fired, was
    /// cancelled already, or is [`Key::NONE`].
    #[inline]
    pub fn cancel(&mut self, key: Key) -> bool {
        if !self.is_pending(key) {
            return false;
        }
        self.release(key.slot());
        self.dead += 1;
        if self.dead > self.live + SPARE {
            self.sweep();
        }
        true
    }

    /// Whether the event is still to come.
    #[inline]
    pub fn is_pending(&self, key: Key) -> bool {
        is_live(&self.slots, key.0)
    }

    /// The next event; the clock moves to its time. `None` when nothing is left to happen.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "not an iterator: handlers schedule between two calls")]
    pub fn next(&mut self) -> Option<E> {
        self.next_until(LAST)
    }

    /// The next event if its time is not later than `limit`. Otherwise the clock stays where it is.
    #[inline]
    pub fn next_until(&mut self, limit: Time) -> Option<E> {
        let limit = limit.min(LAST); // an empty heap or lane shows a key at Time::NEVER
        loop {
            let key = self.first();
            let when = time(key);
            if when > limit {
                return None;
            }
            self.take(key);
            let slot = (key as u64 & SLOT_MASK) as usize;
            if self.slots[slot].key != key as u64 {
                self.dead -= 1;
                continue;
            }
            self.release(slot);
            self.crowd = if when == self.now { self.crowd + 1 } else { 1 };
            self.now = when;
            self.processed += 1;
            return Some(self.slots[slot].event);
        }
    }

    /// Events still to come; cancelled ones do not count.
    #[inline]
    pub fn pending(&self) -> usize {
        self.live
    }

    /// Events delivered since the start.
    #[inline]
    pub fn processed(&self) -> u64 {
        self.processed
    }

    /// Events scheduled since the start, cancelled ones included, those at [`Time::NEVER`] not.
    #[inline]
    pub fn scheduled(&self) -> u64 {
        self.sequence >> SLOT_BITS
    }

    /// Events delivered at the present instant, the latest included. When it grows without end, time no longer
    /// passes: somewhere two parts answer each other without delay.
    #[inline]
    pub fn crowd(&self) -> u64 {
        self.crowd
    }

    /// Bytes held by heap, lanes and slots, by capacity. Heap and lanes follow what is alive; the slots stay at the
    /// most that were ever alive at once.
    pub fn bytes(&self) -> usize {
        self.heap.bytes() + self.lanes.bytes() + self.slots.capacity() * size_of::<Slot<E>>()
    }

    /// Puts an event into a slot and gives it its key.
    #[inline]
    fn store(&mut self, event: E) -> Key {
        self.sequence = self.sequence.checked_add(1 << SLOT_BITS).expect("the world stops long before 2^40 events");
        self.live += 1;
        if let Some(slot) = self.slots.get_mut(self.free as usize) {
            let key = self.sequence | self.free;
            self.free = slot.key;
            *slot = Slot { key, event };
            return Key(key);
        }
        let slot = self.slots.len() as u64;
        assert!(slot < SLOT_MASK, "the world stops long before 2^24 events are pending");
        let key = self.sequence | slot;
        self.slots.push(Slot { key, event });
        Key(key)
    }

    /// Frees the slot of a live event, which stays readable there until the slot is used again.
    #[inline]
    fn release(&mut self, slot: usize) {
        self.slots[slot].key = self.free;
        self.free = slot as u64;
        self.live -= 1;
    }

    /// The least key of heap and lanes, alive or dead, or `heap::EMPTY`.
    #[inline]
    fn first(&mut self) -> u128 {
        self.heap.first().min(self.lanes.first())
    }

    /// Takes away the key that [`Engine::first`] has just shown.
    #[inline]
    fn take(&mut self, key: u128) {
        if key == self.lanes.first() {
            let (slots, dead) = (&self.slots, &mut self.dead);
            self.lanes.take_first(|key| {
                let drop = !is_live(slots, key as u64);
                *dead -= usize::from(drop);
                drop
            });
        } else {
            self.heap.take_first();
        }
    }

    /// Sweeps out all dead keys. The cancellations since the last sweep are at least half of what is looked at,
    /// so each of them pays for two.
    #[cold]
    #[inline(never)]
    fn sweep(&mut self) {
        let slots = &self.slots;
        self.heap.retain(|key| is_live(slots, key as u64));
        self.lanes.retain(|key| is_live(slots, key as u64));
        self.dead = 0;
    }
}

/// Whether the slot named by a key (its low half) still holds that key's event.
#[inline]
fn is_live<E>(slots: &[Slot<E>], key: u64) -> bool {
    slots.get(Key(key).slot()).is_some_and(|slot| slot.key == key)
}

/// The whole key: time above, sequence and slot below.
#[inline]
const fn whole(when: Time, key: Key) -> u128 {
    (when.nanos() as u128) << 64 | key.0 as u128
}

/// The time in a whole key.
#[inline]
const fn time(key: u128) -> Time {
    Time::from_nanos((key >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn events_come_in_order_of_time_and_move_the_clock() {
        let mut engine = Engine::new();
        engine.after(MS(3), 'c');
        engine.after(MS(1), 'a');
        engine.at(Time::from_nanos(2_000_000), 'b');
        assert_eq!(engine.pending(), 3);
        let order: Vec<_> = std::iter::from_fn(|| engine.next().map(|event| (event, engine.now().nanos()))).collect();
        assert_eq!(order, [('a', 1_000_000), ('b', 2_000_000), ('c', 3_000_000)]);
        assert_eq!((engine.processed(), engine.scheduled(), engine.pending()), (3, 3, 0));
        assert_eq!(engine.next(), None);
    }

    #[test]
    fn events_of_one_instant_come_in_order_of_scheduling_by_heap_or_by_lane() {
        let mut engine = Engine::new();
        let lane = engine.lane(MS(5));
        for event in 0..100 {
            match event % 3 {
                0 => engine.after_lane(lane, event),
                1 => engine.after(MS(5), event),
                _ => engine.at(Time::ZERO + MS(5), event),
            };
        }
        for event in 0..100 {
            assert_eq!(engine.next(), Some(event));
            assert_eq!(engine.crowd(), event + 1);
        }
    }

    #[test]
    fn the_crowd_counts_anew_at_each_instant() {
        let mut engine = Engine::new();
        for ms in [0, 0, 7, 7, 7] {
            engine.after(MS(ms), ());
        }
        let crowds: Vec<_> = std::iter::from_fn(|| engine.next().map(|()| engine.crowd())).collect();
        assert_eq!(crowds, [1, 2, 1, 2, 3]);
    }

    #[test]
    fn a_cancelled_event_never_fires_and_cannot_be_cancelled_twice() {
        let mut engine = Engine::new();
        let lane = engine.lane(MS(1));
        let keys = [engine.after(MS(1), 1), engine.after_lane(lane, 2), engine.after(MS(2), 3)];
        assert!(engine.is_pending(keys[1]));
        assert!(engine.cancel(keys[0]) && engine.cancel(keys[1]));
        assert!(!engine.cancel(keys[0]) && !engine.is_pending(keys[1]));
        assert_eq!(engine.next(), Some(3));
        assert!(!engine.cancel(keys[2]), "it has fired");
        assert_eq!(engine.next(), None);
    }

    #[test]
    fn an_old_key_does_not_cancel_the_event_that_took_over_its_slot() {
        let mut engine = Engine::new();
        let old = engine.after(MS(1), 'a');
        engine.cancel(old);
        let new = engine.after(MS(1), 'b');
        assert!(!engine.cancel(old) && engine.is_pending(new));
        assert_eq!(engine.next(), Some('b'));
    }

    #[test]
    fn no_key_names_no_event_not_even_in_an_empty_engine() {
        let mut engine = Engine::new();
        assert!(!engine.cancel(Key::NONE));
        engine.after(MS(1), ());
        assert!(!engine.cancel(Key::default()) && !engine.is_pending(Key::NONE));
    }

    #[test]
    fn what_happens_never_is_not_stored() {
        let mut engine = Engine::new();
        let forever = engine.lane(Duration::FOREVER);
        let long = engine.lane(Duration::from_nanos(u64::MAX - 5));
        assert_eq!(forever.duration(), Duration::FOREVER);
        assert_eq!(engine.after(Duration::FOREVER, 0), Key::NONE);
        assert_eq!(engine.at(Time::NEVER, 0), Key::NONE);
        assert_eq!(engine.after_lane(forever, 0), Key::NONE);
        engine.after(MS(1), 1);
        assert_eq!(engine.next(), Some(1));
        assert_eq!(engine.after_lane(long, 2), Key::NONE, "the sum does not fit");
        assert_eq!((engine.pending(), engine.scheduled()), (0, 1));
        assert_eq!(engine.next_until(Time::NEVER), None);
        engine.at(LAST, 3);
        assert_eq!(engine.next_until(Time::NEVER), Some(3), "the last instant is not never");
    }

    #[test]
    fn a_limit_includes_its_own_instant_and_leaves_the_clock_alone() {
        let mut engine = Engine::new();
        engine.after(MS(5), 'a');
        assert_eq!(engine.next_until(Time::ZERO + MS(4)), None);
        assert_eq!(engine.now(), Time::ZERO);
        assert_eq!(engine.next_until(Time::ZERO + MS(5)), Some('a'));
    }

    #[test]
    #[should_panic(expected = "an event was scheduled for 0.001s, but it is 0.002s already")]
    fn scheduling_into_the_past_is_our_bug() {
        let mut engine = Engine::new();
        engine.after(MS(2), ());
        engine.next();
        engine.at(Time::from_nanos(1_000_000), ());
    }

    #[test]
    #[should_panic(expected = "a delay belongs to the engine that made it")]
    fn a_delay_of_another_engine_is_our_bug() {
        let delay = Engine::<()>::new().lane(MS(1));
        Engine::new().after_lane(delay, ());
    }

    #[test]
    fn a_burst_of_cancellations_gives_its_memory_back() {
        let mut engine = Engine::new();
        let keys: Vec<Key> = (0..100_000).map(|i| engine.after(MS(i), ())).collect();
        let full = engine.bytes();
        keys.into_iter().for_each(|key| assert!(engine.cancel(key)));
        let slots = engine.slots.capacity() * size_of::<Slot<()>>();
        assert!(engine.bytes() - slots < full / 100, "{} of {full} bytes left", engine.bytes() - slots);
        assert_eq!((engine.pending(), engine.next()), (0, None));
    }

    #[test]
    fn memory_stays_flat_over_millions_of_timers_that_are_set_and_cancelled() {
        let mut engine = Engine::new();
        let (timeout, tick) = (engine.lane(MS(60_000)), engine.lane(MS(1)));
        let mut timers = [Key::NONE; 100];
        let mut high = 0;
        for round in 0..3_000_000_usize {
            let timer = &mut timers[round % 100];
            engine.cancel(*timer);
            // Half of them by the heap, half by a lane.
            *timer = match round % 2 {
                0 => engine.after_lane(timeout, true),
                _ => engine.after(MS(60_000), true),
            };
            engine.after_lane(tick, false);
            assert_eq!(engine.next(), Some(false), "a cancelled timer never fires");
            if round == 10_000 {
                high = engine.bytes();
            }
            if round > 10_000 {
                assert!(engine.bytes() <= 2 * high, "{} bytes after {round} rounds", engine.bytes());
            }
        }
        assert!(high < 50_000, "a hundred timers took {high} bytes");
    }

    #[test]
    fn dead_keys_never_outnumber_the_living_by_more_than_a_few() {
        let mut engine = Engine::new();
        let lane = engine.lane(MS(7));
        let mut keys = std::collections::VecDeque::new();
        for i in 0..200_000_u64 {
            let key = if i % 3 == 0 { engine.after_lane(lane, i) } else { engine.after(MS(i * 31 % 97), i) };
            keys.push_back(key);
            if i % 8 < 7 && keys.len() > 500 {
                engine.cancel(keys.pop_front().expect("500 are left"));
            } else if i % 5 == 0 {
                engine.next();
            }
            assert!(engine.dead <= engine.live + SPARE);
        }
    }

    #[test]
    fn a_long_random_program_gives_the_same_trace_as_the_slow_obvious_engine() {
        // The proptests in `reference` are short; this one is long enough for many sweeps and deep heaps.
        reference::compare_long(400_000);
    }
}
