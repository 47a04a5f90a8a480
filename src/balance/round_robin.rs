//! round_robin: one after the other.

use super::Balance;

#[derive(Debug)]
pub(super) struct RoundRobin {
    replicas: usize,
    next: usize,
}

impl RoundRobin {
    pub(super) fn new(replicas: usize, start: usize) -> Self {
        Self { replicas, next: start }
    }

    fn step(&mut self) -> usize {
        let replica = self.next;
        self.next = if replica + 1 == self.replicas { 0 } else { replica + 1 };
        replica
    }
}

impl Balance for RoundRobin {
    fn pick(&mut self, _: u64, avoid: Option<usize>) -> Option<usize> {
        if self.replicas == 0 {
            return None;
        }
        let replica = self.step();
        Some(if Some(replica) == avoid && self.replicas > 1 { self.step() } else { replica })
    }

    fn pick_among(&mut self, _: u64, among: &[u32]) -> usize {
        let behind = among.partition_point(|&replica| (replica as usize) < self.next);
        self.next = among.get(behind).map_or(among[0], |&replica| replica) as usize;
        self.step()
    }
}
