//! Requests of a run, followed one by one: spans and events, plain data from which files and charts are made.
//!
//! ```text
//!   request ──────────────────────────────────────────────  at the client, from its arrival to its answer
//!     call ────────────────────────────────────────────     through all policies
//!       attempt ───────────      wait ────   attempt ────   what was sent, and the backoff between
//!         server ─────────────────────         server ──    at the instance: longer than the attempt if nobody waits any more
//!           queued ────                          served     waiting for a worker
//!                    served ──────────                      from then on, with the calls made meanwhile
//! ```
//!
//! Always: a span stands behind the one that it is part of, and begins no earlier. It ends no later either, but for what is marked
//! [`Span::abandoned`] or [`Span::put_off`]. Events stand in the order of time.

use serde::{Deserialize, Serialize};

use crate::engine::{Duration, Time};
use crate::outcome::Outcome;
use crate::policy::Position;

/// The requests of a run that were followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The seed of the run.
    pub seed: u64,
    /// The requests from which they were chosen: all that were made between the end of the warm-up and the end of the run.
    pub of: u64,
    /// The parts of the model, clients first: spans name them by their places.
    pub parts: Vec<Part>,
    /// The spans: request by request, in the order in which they began.
    pub spans: Vec<Span>,
    /// What happened, in order of time.
    pub events: Vec<Event>,
    /// Where breakers went, in order of time: all of them, whoever's calls moved them.
    pub breakers: Vec<Moved>,
    /// Times of faults, in the order in which they began.
    pub faults: Vec<Struck>,
    /// When the run came to its end.
    pub until: Time,
}

impl Trace {
    /// The spans of the requests themselves, without what was done for them.
    pub fn requests(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| span.kind == Kind::Request)
    }
}

/// A client or a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Whether it is a client.
    pub is_client: bool,
}

impl Part {
    /// The entity under which it is measured, e.g. `service/web`.
    #[must_use]
    pub fn entity(&self) -> String {
        format!("{}/{}", if self.is_client { "client" } else { "service" }, self.name)
    }
}

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A request of a client.
    Request,
    /// A call, with all its attempts, through all policies of the caller.
    Call,
    /// A wait of a call at a policy.
    Wait(Wait),
    /// An attempt of a call, as its caller sees it: until the answer is there, or nobody waits for it any more.
    Attempt,
    /// An attempt as the service sees it: from its arrival at an instance to its answer.
    Server,
    /// A request waits for a worker: in the queue, at the door, or again after a call.
    Queued,
    /// A request is served: from the moment at which a worker takes it. It holds the calls that are made meanwhile, and, with `async`,
    /// the waits for a worker after them.
    Served,
}

/// For what a call waits at a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wait {
    /// For a place, behind others.
    Line,
    /// For its turn, which is known.
    Turn,
    /// Before it is tried again.
    Backoff,
    /// For a lesser answer, which is being made.
    Fallback,
}

impl Wait {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Line => "in line",
            Self::Turn => "delayed",
            Self::Backoff => "backoff",
            Self::Fallback => "fallback",
        }
    }
}

/// A part of the story of a request: where, and from when to when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The request of a client for which it happens: requests are counted from 1, in the order in which the clients of the run made them.
    pub request: u64,
    /// Its number among those of the request; 0 is the request itself.
    pub number: u32,
    /// The span of which it is part, by its place in [`Trace::spans`]; none for the request itself.
    pub parent: Option<u32>,
    /// What it is.
    pub kind: Kind,
    /// E.g. the name of the client, `web.checkout`, `attempt 2`, `queued`.
    pub name: String,
    /// Where it happens, by its place in [`Trace::parts`].
    pub part: u32,
    /// At which instance of the part, counted from 0.
    pub instance: u32,
    /// When it began.
    pub from: Time,
    /// When it ended, or the end of the run.
    pub until: Time,
    /// How it ended. None for waits and queues, and where nobody can say: what was lost in a silent crash, and what is unfinished.
    pub outcome: Option<Outcome>,
    /// For an attempt: its number in the call, from 1. For a call: how many there were.
    pub attempt: u32,
    /// For an attempt: the instance to which it was sent.
    pub to: Option<u32>,
    /// For a wait: the policy.
    pub policy: Option<String>,
    /// For a server: the work done there for this request, that of its own calls not counted.
    pub work: Option<Duration>,
    /// For a server: nobody waited any more when it ended, so it was there for nobody from some moment on. For an attempt: it went on
    /// after its call had ended.
    pub abandoned: bool,
    /// For an attempt: its answer came when nobody waited any more.
    pub late: bool,
    /// For an attempt: a spare one, sent by `hedge` while others were under way.
    pub spare: bool,
    /// For a call: it was put off by a policy, and is made now, after its caller has gone on.
    pub put_off: bool,
    /// It had not ended when the run did.
    pub unfinished: bool,
}

/// Something that happened to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Time,
    /// The span to which it happened, by its place in [`Trace::spans`]. That of an attempt whose answer is late has ended before.
    pub span: u32,
    /// What.
    pub what: What,
    /// The outcome that it is about.
    pub outcome: Option<Outcome>,
    /// The wait that begins with it, or the limit that has passed.
    pub after: Option<Duration>,
    /// The policy or the reason.
    pub by: Option<String>,
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The client made it.
    RequestMade,
    /// A call began.
    CallBegan,
    /// A policy of the caller refused the call, or an attempt of it.
    RefusedByPolicy,
    /// No replica could be chosen.
    NoReplica,
    /// A call waits in line at a policy.
    InLine,
    /// A call waits for its turn at a policy.
    Delayed,
    /// An attempt was sent.
    AttemptSent,
    /// A spare attempt was sent.
    HedgeSent,
    /// The message with the request was lost, or nothing was there that could receive it.
    RequestLost,
    /// It came to an instance.
    Received,
    /// It was refused at the door.
    RefusedAtDoor,
    /// It waits at the door of a full queue.
    Blocked,
    /// It waits for a worker.
    Queued,
    /// A worker took it.
    Started,
    /// It was given up before it was answered.
    Dropped,
    /// The process that had it crashed.
    Crashed,
    /// What it asks for has happened; [`Event::by`] is `again` if it had before.
    Effect,
    /// The service answered.
    Replied,
    /// The message with the answer was lost.
    ReplyLost,
    /// The answer came to the caller, who waited for it.
    Answered,
    /// The answer came to the caller, where nobody waited any more.
    LateReply,
    /// A limit of the caller has passed.
    TimedOut,
    /// Nobody waits for the attempt any more.
    Abandoned,
    /// It failed, and is tried again after a wait.
    RetriedAfter,
    /// A policy gives another outcome instead.
    Replaced,
    /// The call is kept, to be made later.
    PutOff,
    /// The call that was put off is made now.
    TakenUp,
    /// A call ended.
    CallEnded,
    /// The client has its answer.
    RequestAnswered,
    /// The client got no answer.
    RequestFailed,
}

impl What {
    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestMade => "request_made",
            Self::CallBegan => "call_began",
            Self::RefusedByPolicy => "refused_by_policy",
            Self::NoReplica => "no_replica",
            Self::InLine => "in_line",
            Self::Delayed => "delayed",
            Self::AttemptSent => "attempt_sent",
            Self::HedgeSent => "hedge_sent",
            Self::RequestLost => "request_lost",
            Self::Received => "received",
            Self::RefusedAtDoor => "refused_at_door",
            Self::Blocked => "blocked",
            Self::Queued => "queued",
            Self::Started => "started",
            Self::Dropped => "dropped",
            Self::Crashed => "crashed",
            Self::Effect => "effect",
            Self::Replied => "replied",
            Self::ReplyLost => "reply_lost",
            Self::Answered => "answered",
            Self::LateReply => "late_reply",
            Self::TimedOut => "timed_out",
            Self::Abandoned => "abandoned",
            Self::RetriedAfter => "retried_after",
            Self::Replaced => "replaced",
            Self::PutOff => "put_off",
            Self::TakenUp => "taken_up",
            Self::CallEnded => "call_ended",
            Self::RequestAnswered => "request_answered",
            Self::RequestFailed => "request_failed",
        }
    }
}

/// A breaker went somewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// When.
    pub at: Time,
    /// The breaker, as its entity has it: `web->payment.charge`.
    pub breaker: String,
    /// The instance of the caller that has it; none if all share it.
    pub instance: Option<u32>,
    /// Where it went.
    pub to: Position,
}

/// A time of a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Struck {
    /// Its name.
    pub fault: String,
    /// When it began.
    pub from: Time,
    /// When it ended; none if the run ended before.
    pub until: Option<Time>,
}
