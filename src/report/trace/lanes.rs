//! Lanes: where spans are drawn, so that those on one lane nest.
//!
//! ```text
//!   lane 1   call ──────────────────────────────────
//!              attempt 1 ──────────────  attempt 2 ─
//!   lane 2     hedge ──────────────────────────         overlaps with the first, and is not part of it
//! ```
//!
//! Always: on one lane, a span that begins before another has ended is part of it, and ends no later.

use crate::engine::Time;
use crate::measure::trace::Trace;

/// A lane of an instance of a part.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) part: u32,
    pub(super) instance: u32,
    /// Its number at its instance.
    pub(super) number: u32,
    /// Spans that have not ended, each part of the one before.
    open: Vec<u32>,
}

/// Something is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    Begin { span: u32 },
    End { span: u32, at: Time },
}

/// The lanes that a trace needs.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) all: Vec<Lane>,
    /// The lane of each span.
    pub(super) of: Vec<u32>,
    /// What is drawn, in an order that is right on each lane, and in which a span stands behind the one that it is part of.
    pub(super) marks: Vec<Mark>,
}

impl Lanes {
    pub(super) fn new(trace: &Trace) -> Self {
        let mut lanes = Self { of: vec![0; trace.spans.len()], ..Self::default() };
        let mut order: Vec<u32> = (0..trace.spans.len() as u32).collect();
        order.sort_by_key(|&span| trace.spans[span as usize].from);
        // The lanes of each part and instance, by place in `all`.
        let mut at = std::collections::BTreeMap::<(u32, u32), Vec<u32>>::new();
        for span in order {
            let it = &trace.spans[span as usize];
            let here = at.entry((it.part, it.instance)).or_default();
            for &lane in here.iter() {
                lanes.close(trace, lane, it.from);
            }
            let place = lanes.place(trace, here, span).unwrap_or_else(|| {
                let (number, place) = (here.len() as u32, lanes.all.len() as u32);
                lanes.all.push(Lane { part: it.part, instance: it.instance, number, open: Vec::new() });
                here.push(place);
                place
            });
            lanes.of[span as usize] = place;
            lanes.all[place as usize].open.push(span);
            lanes.marks.push(Mark::Begin { span });
        }
        for lane in 0..lanes.all.len() as u32 {
            lanes.close(trace, lane, Time::NEVER);
        }
        lanes
    }

    /// What has ended until now leaves a lane.
    fn close(&mut self, trace: &Trace, lane: u32, now: Time) {
        let open = &mut self.all[lane as usize].open;
        while let Some(&last) = open.last()
            && trace.spans[last as usize].until <= now
        {
            self.marks.push(Mark::End { span: last, at: trace.spans[last as usize].until });
            open.pop();
        }
    }

    /// The lane for a span: below what it is part of, or an empty one.
    fn place(&self, trace: &Trace, here: &[u32], span: u32) -> Option<u32> {
        let until = trace.spans[span as usize].until;
        let is_part_of = |whole: u32| {
            let mut above = trace.spans[span as usize].parent;
            while above.is_some_and(|it| it != whole) {
                above = above.and_then(|it| trace.spans[it as usize].parent);
            }
            above.is_some()
        };
        let below = |&lane: &u32| {
            let last = self.all[lane as usize].open.last();
            last.is_some_and(|&last| trace.spans[last as usize].until >= until && is_part_of(last))
        };
        let empty = |&lane: &u32| self.all[lane as usize].open.is_empty();
        here.iter().copied().find(below).or_else(|| here.iter().copied().find(empty))
    }
}
