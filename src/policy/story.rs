//! Stories: a policy and the calls that pass through it, told in order, without an engine.
//!
//! ```text
//!   story("breaker: { .. }").at(ms(0)).fails().fails()      calls that end at once
//!       .begins("slow")                                     a call that is under way, by name ..
//!       .at(ms(50)).ends("slow", Outcome::Error)            .. and how it ends
//! ```
//!
//! Each step asserts what the policy answers; a story that goes wrong names the line of its step.

use std::collections::{BTreeMap, VecDeque};

use super::{Enter, Leave, Passage, Policy, Position, Race, Written};
use crate::engine::{Duration, Streams, Time};
use crate::outcome::Outcome;
use crate::scenario::source::Sources;
use crate::scenario::tree;

/// A policy as it stands in a file.
#[track_caller]
fn read(policy: &str) -> Written {
    let mut sources = Sources::new();
    let id = sources.add("a story", policy);
    tree::parse(id, &sources).and_then(|node| tree::read(&node)).expect("the policy is well-formed")
}

/// A policy whose options make no sense, for this reason and no other.
#[track_caller]
pub(super) fn assert_refused(policy: &str, reason: &str) {
    let problems = read(policy).problems();
    assert!(problems.len() == 1 && problems[0].0.contains(reason), "{policy}: {problems:?}");
}

/// A story about a policy as it stands in a file, with the first seed.
#[track_caller]
pub(super) fn story(policy: &str) -> Story {
    let written = read(policy);
    assert_eq!(written.problems(), [], "the policy makes sense");
    Story {
        policy: written.blueprint().build(Streams::new(1).named("story")),
        now: Time::ZERO,
        key: 0,
        put_off: 0,
        under_way: BTreeMap::new(),
        line: VecDeque::new(),
    }
}

/// What is wrong with a policy as it stands in a file, and the text that each mistake points at: the value, or nothing
/// if it is about several of them.
pub(super) fn mistakes(policy: &str) -> Vec<(String, String)> {
    let mut sources = Sources::new();
    let id = sources.add("a mistake", policy);
    match tree::parse(id, &sources).and_then(|node| tree::read::<Written>(&node)) {
        Ok(written) => written.problems().into_iter().map(|(what, _)| (what, String::new())).collect(),
        Err(found) => found
            .iter()
            .map(|mistake| {
                (mistake.message.clone(), policy[mistake.place.start as usize..mistake.place.end as usize].to_owned())
            })
            .collect(),
    }
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A policy, the present, and who is where.
pub(super) struct Story {
    policy: Box<dyn Policy>,
    now: Time,
    /// What calls that come in are about.
    key: u64,
    /// How many calls wait to be made later.
    put_off: usize,
    /// The calls that have entered: when they did so first, what they are about, and what the policy remembers of them.
    under_way: BTreeMap<&'static str, (Time, u64, u64)>,
    /// The calls that stand in line.
    line: VecDeque<&'static str>,
}

impl Story {
    /// It is so much after the start.
    #[track_caller]
    pub fn at(mut self, time: Duration) -> Self {
        assert!(Time::ZERO + time >= self.now, "stories are told in order");
        self.now = Time::ZERO + time;
        self
    }

    /// The calls that come in from now on are about this.
    pub fn about(mut self, key: u64) -> Self {
        self.key = key;
        self
    }

    /// So many calls wait to be made later.
    pub fn put_off(mut self, calls: usize) -> Self {
        self.put_off = calls;
        self
    }

    /// A call comes in and gets this answer. It is under way if it was let in.
    #[track_caller]
    pub fn enters(mut self, call: &'static str, answer: Enter) -> Self {
        assert_eq!(self.enters_with(call), answer, "the answer to `{call}`");
        self
    }

    /// A call comes in; what it is answered.
    #[track_caller]
    pub fn enters_with(&mut self, call: &'static str) -> Enter {
        assert!(!self.under_way.contains_key(call), "`{call}` is under way already");
        let mut word = 0;
        let waiting = self.line.len();
        let answer = self.policy.enter(&mut Passage {
            now: self.now,
            opened: self.now,
            deadline: Time::NEVER,
            key: self.key,
            waiting,
            put_off: self.put_off,
            word: &mut word,
        });
        match answer {
            Enter::Wait { .. } => self.line.push_back(call),
            Enter::Refuse => {}
            Enter::Proceed | Enter::ProceedFor(_) | Enter::Delay(_) | Enter::Race(_) => {
                self.under_way.insert(call, (self.now, self.key, word));
            }
        }
        answer
    }

    /// The wait of a race is over, and this is how it goes on.
    #[track_caller]
    pub fn spares(mut self, call: &'static str, race: Option<Race>) -> Self {
        let (opened, key, word) = self.under_way.get_mut(call).expect("the call is under way");
        let got = self.policy.spare(&mut Passage {
            now: self.now,
            opened: *opened,
            deadline: Time::NEVER,
            key: *key,
            waiting: self.line.len(),
            put_off: self.put_off,
            word,
        });
        assert_eq!(got, race, "a spare for `{call}`");
        self
    }

    /// A call comes in and goes on.
    #[track_caller]
    pub fn begins(self, call: &'static str) -> Self {
        self.enters(call, Enter::Proceed)
    }

    /// A call comes in and is refused.
    #[track_caller]
    pub fn refuses(self) -> Self {
        self.enters("one that is refused", Enter::Refuse)
    }

    /// The first in line is let in, because somebody has left.
    #[track_caller]
    pub fn calls_in(mut self, call: &'static str) -> Self {
        assert!(self.policy.has_room(), "there is no room for `{call}`");
        assert_eq!(self.line.pop_front(), Some(call), "the first in line");
        self.begins(call)
    }

    /// Nobody in line can be let in.
    #[track_caller]
    pub fn has_no_room(self) -> Self {
        assert!(!self.policy.has_room(), "there is room");
        self
    }

    /// A call gives up its place in line.
    #[track_caller]
    pub fn leaves_the_line(mut self, call: &'static str) -> Self {
        let place = self.line.iter().position(|other| *other == call).expect("it stands in line");
        self.line.remove(place);
        self
    }

    /// A call that is under way comes out with this outcome, and gets this answer. It stays if it shall try again.
    #[track_caller]
    pub fn leaves(mut self, call: &'static str, outcome: Outcome, answer: Leave) -> Self {
        let got = self.leave(call, outcome);
        assert_eq!(got, answer, "the answer to `{call}`, which came out with {outcome:?}");
        self
    }

    /// What the policy answers to a call that comes out with this outcome.
    #[track_caller]
    pub fn leave(&mut self, call: &'static str, outcome: Outcome) -> Leave {
        let (opened, key, word) = self.under_way.get_mut(call).expect("only who is under way comes out");
        let waiting = self.line.len();
        let passage = &mut Passage {
            now: self.now,
            opened: *opened,
            deadline: Time::NEVER,
            key: *key,
            waiting,
            put_off: self.put_off,
            word,
        };
        let answer = self.policy.leave(passage, outcome);
        if !matches!(answer, Leave::Again { .. }) {
            self.under_way.remove(call);
        }
        answer
    }

    /// A call that is under way ends with this outcome, and the policy lets it.
    #[track_caller]
    pub fn ends(self, call: &'static str, outcome: Outcome) -> Self {
        self.leaves(call, outcome, Leave::Pass)
    }

    /// A call that is under way is abandoned: something outside has stopped waiting for it.
    #[track_caller]
    pub fn abandons(mut self, call: &'static str) -> Self {
        self.leave(call, Outcome::Cancelled);
        self.under_way.remove(call);
        self
    }

    /// A call comes in, and ends at once with this outcome.
    #[track_caller]
    pub fn ends_at_once(self, outcome: Outcome) -> Self {
        self.begins("one that ends at once").ends("one that ends at once", outcome)
    }

    /// A call comes in, and succeeds at once.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.ends_at_once(Outcome::Ok)
    }

    /// A call comes in, and fails at once.
    #[track_caller]
    pub fn fails(self) -> Self {
        self.ends_at_once(Outcome::Error)
    }

    /// Calls that succeed (`S`) and fail (`F`), one after the other.
    #[track_caller]
    pub fn results(self, results: &str) -> Self {
        results.chars().filter(|c| !c.is_whitespace()).fold(self, |story, result| match result {
            'S' => story.succeeds(),
            'F' => story.fails(),
            other => panic!("`{other}` is neither S nor F"),
        })
    }

    /// The breaker stands like this.
    #[track_caller]
    pub fn is(self, position: Position) -> Self {
        assert_eq!(self.policy.position(), position);
        self
    }

    /// Where the breaker stands.
    pub fn position(&self) -> Position {
        self.policy.position()
    }

    /// Nothing is taken from it.
    #[track_caller]
    pub fn rests(self) -> Self {
        assert!(self.policy.at_rest(), "a permit or a place is taken");
        self
    }

    /// A permit or a place is taken from it.
    #[track_caller]
    pub fn does_not_rest(self) -> Self {
        assert!(!self.policy.at_rest(), "nothing is taken");
        self
    }

    /// The process starts afresh; what was under way is gone before.
    #[track_caller]
    pub fn restarts(mut self) -> Self {
        assert!(self.under_way.is_empty() && self.line.is_empty(), "calls are abandoned before a restart");
        self.policy.reset();
        self
    }
}
