//! Effects: what has happened because of a request, so that it is noticed when it happens again.
//!
//! What has happened is remembered as long as the client's request behind it is under way, or anything that was made for it: until
//! then it can happen again. So memory follows what is alive.

use crate::engine::{Handle, Slab};

/// The requests of clients that are under way, and what has happened because of them.
#[derive(Debug, Default)]
pub(super) struct Effects {
    requests: Slab<Request>,
    /// Effects remembered.
    held: usize,
}

#[derive(Debug)]
struct Request {
    /// Tasks that are under way for it, its own included.
    tasks: u32,
    /// The identities of the requests whose effect has happened.
    happened: Vec<u64>,
}

impl Effects {
    /// A client makes a request.
    pub(super) fn begin(&mut self) -> Handle {
        self.requests.insert(Request { tasks: 0, happened: Vec::new() })
    }

    /// A task begins that is made for a request.
    pub(super) fn join(&mut self, request: Handle) {
        if let Some(it) = self.requests.get_mut(request) {
            it.tasks += 1;
        }
    }

    /// A task is gone that was made for a request.
    pub(super) fn leave(&mut self, request: Handle) {
        let Some(it) = self.requests.get_mut(request) else { return };
        it.tasks -= 1;
        if it.tasks == 0 {
            self.held -= it.happened.len();
            it.happened = Vec::new();
            self.requests.remove(request);
        }
    }

    /// An effect happens. Whether it has happened before.
    pub(super) fn happen(&mut self, request: Handle, identity: u64) -> bool {
        let Some(it) = self.requests.get_mut(request) else { return false };
        let again = it.happened.contains(&identity);
        if !again {
            it.happened.push(identity);
            self.held += 1;
        }
        again
    }

    /// Whether nothing is remembered. Asserted when nothing is under way.
    pub(super) fn at_rest(&self) -> bool {
        self.requests.is_empty() && self.held == 0
    }

    pub(super) fn bytes(&self) -> usize {
        self.requests.len() * size_of::<Request>() + self.held * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_happened_is_remembered_until_the_last_task_is_gone() {
        let mut effects = Effects::default();
        let request = effects.begin();
        effects.join(request);
        effects.join(request);
        assert!(!effects.happen(request, 7));
        assert!(!effects.happen(request, 8));
        effects.leave(request);
        assert!(effects.happen(request, 7));
        assert!(!effects.at_rest());
        effects.leave(request);
        assert!(effects.at_rest());
    }
}
