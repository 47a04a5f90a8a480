//! A task: a program being run for somebody.
//!
//! A client's request is a task at the client; each attempt of a call is a task at the instance that serves it; each
//! branch of a `parallel` is a task beside its parent. A task made by a call exists from the moment the attempt is
//! sent until its answer has arrived (or is lost), so it is also what travels on the network.

use super::call::CallId;
use crate::admission::Class;
use crate::engine::{Duration, Handle, Key, Time, mix};
use crate::measure::UNTRACED;
use crate::outcome::{Lesser, Outcome};

/// A program being run.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Counts the tasks of a run in the order in which they were made.
    pub number: u64,
    /// Where it runs, or is going to.
    pub host: u32,
    /// Where it was called from; for a client's own where it runs.
    pub from: u32,
    /// The edge on which it was called; `u32::MAX` for a client's own.
    pub edge: u32,
    /// The next step.
    pub pc: u32,
    /// The bucket of time in which it was sent; see [`crate::measure`].
    pub bucket: u32,
    /// What it is for.
    pub about: About,
    /// The call that waits for the answer; none for a client's own.
    pub caller: CallId,
    /// The task that this is a branch of.
    pub parent: Handle,
    /// The first of its branches; they stay until it goes on.
    pub branches: Handle,
    /// The next branch of the same parent.
    pub sibling: Handle,
    /// What it is doing.
    pub state: State,
    /// The idempotency key of the request, or zero.
    pub token: u64,
    /// When it arrived where it runs.
    pub arrived: Time,
    /// When its answer is of no use any more.
    pub deadline: Time,
    /// The work done for it here, its branches included.
    pub work: Duration,
    /// How many were inside the instance when it was let in, itself included.
    pub in_flight: u32,
    /// The worst of the degraded answers that it has got.
    pub lesser: Lesser,
    /// Whether it holds a worker.
    pub worker: Worker,
    /// Whether it has been taken by a worker before.
    pub started: bool,
    /// Whether its caller has told that nobody waits.
    pub abandoned: bool,
    /// Its branches that are still running, that ended well, and that must.
    pub forked: Forked,
    /// The table of a cache in which it has looked its key up, at the step at which it stands; none: `u32::MAX`.
    pub looked: u32,
    /// What else is known of it.
    pub count: Count,
    /// The connection over which it was sent, or which it opens first, and the round trips of the handshake that are left.
    pub connection: Handle,
    pub trips: u32,
}

/// What a request is for: handed on to the calls that are made for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    /// The bucket in which the client's request was opened that it serves in the end.
    pub root: u32,
    /// The client that made that request, or [`About::NOBODY`].
    pub client: u32,
    /// How important it is.
    pub class: Class,
    /// The thing that is asked for.
    pub key: u64,
    /// Says which request this is, and stays the same when it is tried again: all attempts of a call share it, also
    /// when the retry happens further up.
    pub identity: u64,
    /// What has happened because of the client's request, if somebody counts that; see [`super::effects`].
    pub effects: Handle,
    /// The number under which the request is followed, or [`crate::measure::UNTRACED`].
    pub trace: u32,
    /// Whether it is for a message that nobody can process; see [`super::topic`].
    pub poison: bool,
}

impl About {
    /// No client: nobody has asked for it.
    pub const NOBODY: u32 = u32::MAX;

    /// A request about this key. Whose it is, and when it was made, is said when it begins.
    pub(super) fn new(key: u64, identity: u64, effects: Handle) -> Self {
        Self {
            root: 0,
            client: Self::NOBODY,
            class: Class::default(),
            key,
            identity,
            effects,
            trace: UNTRACED,
            poison: false,
        }
    }
}

impl Task {
    /// A task that runs at a host from now on, for nobody who waits for it, and without a worker.
    pub(super) fn new(number: u64, host: u32, bucket: u32, about: About, now: Time) -> Self {
        Self {
            number,
            host,
            from: host,
            edge: u32::MAX,
            pc: 0,
            bucket,
            about,
            caller: Handle::NONE,
            parent: Handle::NONE,
            branches: Handle::NONE,
            sibling: Handle::NONE,
            state: State::Ready,
            token: 0,
            arrived: now,
            deadline: Time::NEVER,
            work: Duration::ZERO,
            in_flight: 0,
            lesser: Lesser::NOT,
            worker: Worker::NotNeeded,
            started: false,
            abandoned: false,
            forked: Forked::default(),
            looked: u32::MAX,
            count: Count::Nothing,
            connection: Handle::NONE,
            trips: 0,
        }
    }

    /// Which call it makes now. A program has each of its calls at a step of its own, so step and identity name the call.
    pub(super) fn identity_of_call(&self) -> u64 {
        mix(self.about.identity ^ u64::from(self.pc))
    }
}

/// How a task stands to the workers of its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worker {
    /// It does without, and is served beside them.
    Own,
    /// It holds one.
    Held,
    /// It needs one to work, and has none now.
    Wanted,
    /// It works without one of its own: clients, refusals, and branches whose parent holds one.
    NotNeeded,
}

/// What else is known of a task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    Nothing,
    /// It makes a call that no program waits for.
    Background(Purpose),
    /// The user whose request this is.
    User(u32),
    /// It fetches an entry of a cache: a branch of the task that waits for it, or in the background.
    Fetch(Handle),
    /// It writes in the background what is in a cache already.
    Behind {
        cache: u32,
    },
    /// It was refused at the door like this, which takes work.
    Refused(Outcome),
    /// It is a consumer's request for a message: this delivery.
    Delivery(Handle),
}

/// The branches of a task.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forked {
    pub running: u32,
    pub well: u32,
    pub need: u32,
}

/// Why a call is made that no program waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// It had been put off by a policy, in this slot.
    PutOff { slot: u32, number: u32 },
    /// It asks whether a replica is well, for this balancer.
    Probe { balancer: u32, replica: u32 },
    /// Its caller has gone on, but not the thread that makes it.
    Thread { slot: u32 },
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    /// On its way to where it will run.
    Travelling,
    /// Waits for a worker.
    Queued,
    /// About to take its next step.
    Ready,
    /// Works until the event of this key.
    Working { done: Key, until: Time },
    /// Waits for a CPU to do this much work.
    WaitsForCpu(Duration),
    /// Its instance is paused, with this much work left.
    Frozen(Duration),
    /// Waits for the answer to a call.
    Calling(CallId),
    /// Waits for its branches.
    Forked,
    /// Waits for the first request with the same idempotency key.
    WaitsForFirst,
    /// Waits for what another one fetches into a cache, or for the end of a lease.
    WaitsForFetch,
    /// That has ended so; cancelled: it is to look again.
    Woken(Outcome),
    /// Waits until what it has written is at other replicas; who was the primary is counted by the term.
    Replicating { position: u64, term: u32 },
    /// Has ended; its answer is on its way.
    Answered(Outcome),
}
