//! The network: carries requests, answers and cancellations between parts, with latency, loss and bandwidth.
//!
//! Each pair of parts has a link in each direction. A lost message is lost: nobody is told, and only a timeout of the
//! caller notices. A partition is a link that loses everything. A link with limited bandwidth sends one message after
//! the other; what waits for it waits in order.
//!
//! Not modelled: retransmission. Its cost can be written into the latency of the link. Connections are set up where calls keep
//! them: [`super::connections`].

use crate::engine::{Delay, Dist, Duration, Engine, Handle, Stream, Streams, Time};

use super::fault::strength;
use super::plan::{self, Plan, What};

/// Something arrives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A request arrives at the instance that shall serve it.
    Request(Handle),
    /// An answer arrives at the caller.
    Answer(Handle),
    /// The news that nobody waits any more arrives at the server.
    Cancel(Handle),
    /// A message that opens the connection of a request arrives at the instance.
    Connect(Handle),
    /// A message that opens it arrives at the caller.
    Connected(Handle),
}

/// What happens to a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It arrives after this time.
    Arrives(Duration),
    /// The same, for a constant time.
    ArrivesOnLane(Delay),
    /// It never arrives.
    Lost,
}

/// All links.
#[derive(Debug)]
pub(super) struct Network {
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    latency: Dist,
    /// The latency, if it is constant and nothing is in the way.
    lane: Option<Delay>,
    loss: f64,
    bandwidth: f64,
    /// When the last message will have been put on the wire.
    busy_until: Time,
    /// Faults on this link that are there now: those that cut it, and those that trouble it.
    cuts: u32,
    troubles: Vec<(u32, Trouble)>,
    delays: Stream,
    losses: Stream,
}

#[derive(Clone, Debug)]
struct Trouble {
    latency: Dist,
    loss: f64,
    bandwidth: f64,
    since: Time,
    ramp: Duration,
}

impl Network {
    pub(super) fn new(plan: &Plan, streams: &Streams, engine: &mut Engine<super::Event>) -> Self {
        let link = |link: &plan::Link| Link {
            lane: link
                .latency
                .constant()
                .filter(|_| link.loss <= 0.0 && link.bandwidth.is_infinite())
                .map(|delay| engine.lane(delay)),
            latency: link.latency.clone(),
            loss: link.loss,
            bandwidth: link.bandwidth,
            busy_until: Time::ZERO,
            cuts: 0,
            troubles: Vec::new(),
            delays: streams.named(&format!("link/{}/latency", link.name)),
            losses: streams.named(&format!("link/{}/loss", link.name)),
        };
        Self { links: plan.links.iter().map(link).collect() }
    }

    /// A message of so many bytes is put on a link.
    pub(super) fn carry(&mut self, link: u32, bytes: u64, now: Time) -> Fate {
        let link = &mut self.links[link as usize];
        if link.cuts > 0 {
            return Fate::Lost;
        }
        if let Some(lane) = link.lane
            && link.troubles.is_empty()
        {
            return Fate::ArrivesOnLane(lane);
        }
        link.carry(bytes, now)
    }

    /// A fault begins on a link.
    pub(super) fn begin(&mut self, link: u32, fault: u32, what: &What, now: Time, ramp: Duration) {
        let link = &mut self.links[link as usize];
        match what {
            What::Partition { .. } => link.cuts += 1,
            What::Link { latency, loss, bandwidth, .. } => link.troubles.push((
                fault,
                Trouble { latency: latency.clone(), loss: *loss, bandwidth: *bandwidth, since: now, ramp },
            )),
            _ => unreachable!("only faults of links reach links"),
        }
    }

    /// A fault ends on a link.
    pub(super) fn end(&mut self, link: u32, fault: u32, what: &What) {
        let link = &mut self.links[link as usize];
        match what {
            What::Partition { .. } => link.cuts -= 1,
            _ => link.troubles.retain(|(other, _)| *other != fault),
        }
    }
}

impl Link {
    fn carry(&mut self, bytes: u64, now: Time) -> Fate {
        let mut wait = self.latency.sample(&mut self.delays);
        let mut arrives = 1.0 - self.loss;
        let mut bandwidth = self.bandwidth;
        for (_, trouble) in &self.troubles {
            let strength = strength(trouble.since, trouble.ramp, now);
            wait += trouble.latency.sample(&mut self.delays).scale(strength);
            arrives *= 1.0 - trouble.loss * strength;
            bandwidth = bandwidth.min(trouble.bandwidth);
        }
        if arrives < 1.0 && !self.losses.chance(arrives) {
            return Fate::Lost;
        }
        if bandwidth.is_finite() {
            let start = self.busy_until.max(now);
            self.busy_until = start + Duration::from_secs_f64(bytes as f64 / bandwidth);
            wait += self.busy_until - now;
        }
        Fate::Arrives(wait)
    }
}
