//! Faults: data that becomes two events, which set and clear a condition.
//!
//! What a condition does is decided where it is felt: at an instance, on a link, at a client. Times at random are
//! drawn from the fault's own stream.

use crate::engine::{Duration, Engine, Stream, Streams, Time};

use super::plan::{Plan, Timing, Which};

/// A fault begins or ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// It begins.
    Begins { fault: u32 },
    /// It ends.
    Ends { fault: u32 },
}

/// The state of all faults.
#[derive(Debug)]
pub(super) struct Faults {
    all: Vec<Fault>,
}

#[derive(Debug)]
struct Fault {
    chance: Stream,
    /// The replicas that it is about, drawn when it begins for the first time.
    drawn: Vec<u32>,
}

impl Faults {
    pub(super) fn new(plan: &Plan, streams: &Streams) -> Self {
        let all = plan
            .faults
            .iter()
            .map(|fault| Fault { chance: streams.named(&format!("fault/{}", fault.name)), drawn: Vec::new() });
        Self { all: all.collect() }
    }

    /// The run begins.
    pub(super) fn start(&mut self, plan: &Plan, engine: &mut Engine<super::Event>) {
        for (number, (fault, running)) in plan.faults.iter().zip(&mut self.all).enumerate() {
            let number = number as u32;
            match &fault.timing {
                Timing::Planned(times) => {
                    for (from, until) in times {
                        engine.at(*from, super::Event::Fault(Event::Begins { fault: number }));
                        engine.at(*until, super::Event::Fault(Event::Ends { fault: number }));
                    }
                }
                Timing::Random { between, .. } => {
                    let gap = between.scale(running.chance.exponential());
                    running.plan_at(engine.now() + gap, plan, engine, Event::Begins { fault: number });
                }
            }
        }
    }

    /// A fault at random times has begun or ended: its next event is drawn.
    pub(super) fn plan_next(&mut self, event: Event, plan: &Plan, engine: &mut Engine<super::Event>) {
        let (Event::Begins { fault } | Event::Ends { fault }) = event;
        let Timing::Random { between, repair } = plan.faults[fault as usize].timing else { return };
        let running = &mut self.all[fault as usize];
        let (mean, next): (Duration, _) = match event {
            Event::Begins { .. } => (repair, Event::Ends { fault }),
            Event::Ends { .. } => (between, Event::Begins { fault }),
        };
        let gap = mean.scale(running.chance.exponential());
        running.plan_at(engine.now() + gap, plan, engine, next);
    }

    /// The replicas that a fault is about: drawn once, and the same for its whole life.
    pub(super) fn replicas(
        &mut self,
        fault: u32,
        which: Which,
        of: u32,
        zone_of: impl Fn(u32) -> Option<u32>,
    ) -> Vec<u32> {
        match which {
            Which::All => (0..of).collect(),
            Which::Zone(zone) => (0..of).filter(|&replica| zone_of(replica) == Some(zone)).collect(),
            Which::One(replica) => vec![replica],
            Which::Some(count) => {
                let fault = &mut self.all[fault as usize];
                if fault.drawn.is_empty() {
                    let mut replicas: Vec<u32> = (0..of).collect();
                    fault.chance.shuffle(&mut replicas);
                    replicas.truncate(count as usize);
                    replicas.sort_unstable();
                    fault.drawn = replicas;
                }
                fault.drawn.clone()
            }
        }
    }
}

impl Faults {
    /// The members of a fleet that a fault is about: drawn once, and the same for its whole life.
    pub(super) fn members(&mut self, fault: u32, count: u32, of: u32) -> Vec<u32> {
        let which = if count == of { Which::All } else { Which::Some(count) };
        self.replicas(fault, which, of, |_| None)
    }
}

impl Fault {
    fn plan_at(&self, at: Time, plan: &Plan, engine: &mut Engine<super::Event>, event: Event) {
        // What begins after the end disturbs nobody; what has begun must end, so that the last requests can.
        if at < plan.schedule.length || matches!(event, Event::Ends { .. }) {
            engine.at(at, super::Event::Fault(event));
        }
    }
}

/// How much of its full strength a fault has: it grows evenly over its ramp.
pub(super) fn strength(since: Time, ramp: Duration, now: Time) -> f64 {
    if ramp.is_zero() { 1.0 } else { ((now - since).as_secs() / ramp.as_secs()).min(1.0) }
}
