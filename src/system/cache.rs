//! cache: answers that are kept, so that they need not be fetched again.
//!
//! ```text
//!   a step looks its request's key up ─┬─ fresh ───────────────────► hit
//!                                      ├─ stale, and that is allowed ► hit; a fetch in the background
//!                                      ├─ its fetch failed lately ──► that failure
//!                                      ├─ another one fetches it ───► waits for that
//!                                      └─ nothing ──► fetches it: the steps of `miss` ─┬─ well ─► kept, and on
//!                                                                                      └─ badly ─► fails
//! ```
//!
//! Keys are those of the requests: `keys` of the client, or of the call that led here. A table belongs to the instance that uses it,
//! to nobody (`shared`), or to an instance of a service that holds it (`at`). The first two cost no time; the last costs calls.
//! Always: lookups = hits + stale + negative hits + coalesced + misses + unreachable; no table has more entries than its capacity;
//! and when nothing is under way, nobody waits and no fetch is open.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Handle, Key, Slab, Stream, Streams, Time};
use crate::measure::{CacheFact, Fact, Seen};
use crate::outcome::Outcome;
use crate::policy;
use crate::scenario::source::Spanned;
use crate::scenario::units::{Share, Span};
use crate::short_form;

use super::plan::Plan;
use super::task::State;
use super::{Context, Hosts};

/// What can be asked for by name: `list patterns` and `explain` print it.
pub const PATTERNS: &[policy::Pattern] = policy::patterns! {
    "cache": "keep answers by key, so that they need not be fetched again";
};

/// A cache: answers that are kept by key, so that they need not be fetched again. Steps use it: `cache: <name>`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cache")]
pub struct Spec {
    /// Entries of each table. Default: no limit but that on the memory of a run, which sees what tables hold.
    #[serde(default)]
    pub capacity: Option<u64>,
    /// Which entry makes room in a full table. Default: `lru`.
    #[serde(default)]
    pub evict: Option<Evict>,
    /// How long an entry is fresh, from its fetch. Default: for ever.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// Each entry has a `ttl` of its own, up to this share shorter or longer, evenly drawn, so that what was fetched together does
    /// not expire together. Default: 0%.
    #[serde(default)]
    pub ttl_jitter: Option<Share>,
    /// Whether `ttl` counts from the last hit instead. Default: false.
    #[serde(default)]
    pub renew_on_access: bool,
    /// For so long after it has expired an entry is still given, while it is fetched anew in the background, once at a time (RFC 5861).
    /// With a `lease`, also after it was deleted. Default: 0.
    #[serde(default)]
    pub stale_while_revalidate: Option<Span>,
    /// For so long after it has expired an entry is given if the fetch fails: a lesser answer (RFC 5861). Default: 0.
    #[serde(default)]
    pub stale_if_error: Option<Span>,
    /// For so long a failed fetch is remembered: who asks meanwhile gets the same failure at once. Default: not at all.
    #[serde(default)]
    pub negative: Option<Span>,
    /// Fetch anew in the background before the entry expires, at a time that each lookup draws for itself. Default: never.
    #[serde(default)]
    pub early_refresh: Option<EarlyRefresh>,
    /// One fetch for each key of a table at a time: the others wait for it, with their workers, and share its outcome. Default: false.
    #[serde(default)]
    pub coalesce: bool,
    /// In so long, a miss of each key is allowed to fetch only once: the others wait until the entry is there or the time is over, or
    /// take a stale one that is allowed. Unlike with `coalesce` they wait also after that fetch has failed. Default: no leases.
    #[serde(default)]
    pub lease: Option<Span>,
    /// Whether all that use it have one table together. Default: each instance its own, which is lost when it crashes.
    #[serde(default)]
    pub shared: bool,
    /// The service whose instances hold the tables: a lookup is a call to one of them, which its balancer picks (`ring_hash`: by key),
    /// and finds what that instance has. What cannot be read is a miss; a crashed instance has lost its table. Default: none.
    #[serde(default)]
    pub at: Option<Spanned<At>>,
    /// So many entries are there at the start, those of the most popular keys, with their `ttl` used up to any share. Default: 0, a cold
    /// start.
    #[serde(default)]
    pub warm: Option<u64>,
    /// What becomes of the entry when the steps of a miss fail. Default: `keep`.
    #[serde(default)]
    pub on_error: OnError,
}

/// What becomes of an entry when a fetch of it fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It stays what it is: perhaps another fetch has filled it meanwhile.
    #[default]
    Keep,
    /// It is deleted, as by clients that take an error for an invalid value: while fetches fail, they undo those that do not.
    Invalidate,
}

/// Which entry makes room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evict {
    /// The one whose last use is the longest ago.
    #[default]
    Lru,
    /// The one that was used the least often since it came; of several, the one whose last use is the longest ago.
    Lfu,
    /// The one that came first.
    Fifo,
    /// Any, drawn.
    Random,
    /// None: a full table takes nothing new in.
    Never,
}

/// Fetch before the entry expires: `now + time of the last fetch × beta × −ln(uniform) ≥ expiry` ("XFetch": Vattani, Chierichetti,
/// Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyRefresh {
    /// Above 1 earlier, below 1 later. However many ask, e^(1/beta) of them fetch on average. Default: 1.
    #[serde(default = "one")]
    pub beta: f64,
}

fn one() -> f64 {
    1.0
}

/// A service that holds the tables. Short form: its name, `at: redis`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<String>)]
pub struct At {
    /// The service.
    pub service: String,
    /// Its operation for lookups. Default: `get`.
    #[serde(default = "get")]
    pub read: String,
    /// Its operation to put an entry in or to delete it. Default: `set`. One that fails changes nothing.
    #[serde(default = "set")]
    pub write: String,
    /// The policies around these calls, outermost first: without a `timeout`, who asks an instance without power waits for ever.
    #[serde(default)]
    pub policies: Vec<Spanned<policy::Written>>,
}

fn get() -> String {
    "get".to_owned()
}

fn set() -> String {
    "set".to_owned()
}

short_form!(At, String, |service| At { service, read: get(), write: set(), policies: Vec::new() });

/// What a step writes, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// First the steps, then the entry.
    Through,
    /// First the entry, then the steps in the background. Those that fail, or die with their instance, are `writes.lost`.
    Behind,
    /// First the steps, then the entry is deleted: the next who asks fetches it.
    Around,
}

impl Spec {
    /// What is wrong, and a way out.
    pub(crate) fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let none = |span: Option<Span>| span.is_some_and(|it| it.0.is_zero());
        let mut found = Vec::new();
        let mut wrong = |is: bool, what, way_out| {
            if is {
                found.push((what, way_out));
            }
        };
        wrong(self.capacity == Some(0), "a cache of no entries keeps nothing", "give `capacity` at least 1");
        wrong(
            self.evict.is_some() && self.capacity.is_none(),
            "nothing is ever evicted from a cache without a limit",
            "give it a `capacity`, or leave `evict` out",
        );
        wrong(
            none(self.ttl),
            "an entry that is never fresh is never a hit",
            "give `ttl` a time above zero, or leave it out: for ever",
        );
        let times: [(&'static str, &'static str, bool); 4] = [
            (
                "`ttl_jitter` needs a `ttl` that it changes",
                "give the cache a `ttl`, e.g. 60s",
                self.ttl_jitter.is_some(),
            ),
            (
                "`renew_on_access` needs a `ttl` that it renews",
                "give the cache a `ttl`, e.g. 60s",
                self.renew_on_access,
            ),
            (
                "`early_refresh` needs a `ttl`: what never expires is never early",
                "give the cache a `ttl`, e.g. 60s",
                self.early_refresh.is_some(),
            ),
            (
                "`stale_if_error` needs a `ttl`: what never expires is never stale",
                "give the cache a `ttl`, e.g. 60s",
                self.stale_if_error.is_some(),
            ),
        ];
        for (what, way_out, is_given) in times {
            wrong(is_given && self.ttl.is_none(), what, way_out);
        }
        wrong(
            self.stale_while_revalidate.is_some() && self.ttl.is_none() && self.lease.is_none(),
            "`stale_while_revalidate` needs a `ttl` or a `lease`: what never expires is never stale",
            "give the cache a `ttl`, e.g. 60s",
        );
        wrong(
            self.ttl_jitter.is_some_and(|share| share.0 >= 1.0),
            "with so much jitter an entry can expire at once",
            "give `ttl_jitter` less than 100%; 10% is usual",
        );
        wrong(none(self.negative), "a failure that is forgotten at once", "give `negative` a time above zero");
        wrong(none(self.lease), "a lease that is over at once", "give `lease` a time above zero; 10s is memcached's");
        wrong(
            self.early_refresh.is_some_and(|it| !(it.beta > 0.0 && it.beta <= 1e6)),
            "`beta` must be above zero",
            "1 is the default; 2 fetches earlier",
        );
        wrong(
            self.shared && self.at.is_some(),
            "`shared` and `at` exclude each other",
            "leave `shared` out: the instances of a service are there for all anyway",
        );
        wrong(
            self.warm.is_some() && self.at.is_some(),
            "`warm` does not go with `at`: which instance has which entry is seen only when it is asked",
            "leave `warm` out, and give the experiment a `warmup`",
        );
        wrong(
            self.warm.is_some_and(|warm| warm > self.capacity.unwrap_or(MOST_WARM).min(MOST_WARM)),
            "more entries at the start than there is room for",
            "give `warm` at most the `capacity`, and at most ten million",
        );
        found
    }
}

/// Entries at the start of a run: each takes some time to put in.
const MOST_WARM: u64 = 10_000_000;

/// Something happens at a cache.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// What a task has waited for has ended, or it is to look again.
    Woken(Handle),
    /// A lease is over for which somebody waits.
    LeaseOver(Handle),
}

/// What a lookup finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Look {
    /// An entry. Perhaps it is to be fetched anew in the background.
    Entry { refresh: Option<Why> },
    /// An entry that is given because its fetch has failed lately.
    Spared,
    /// A failure that is remembered.
    Failure(Outcome),
    /// Nothing: fetch it.
    Nothing,
    /// Nothing yet: wait.
    Wait,
}

/// Why an entry is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Missing,
    Stale,
    Early,
}

/// No table: the instance that would have it could not be read.
pub(super) const NOWHERE: u32 = u32::MAX;

/// All caches, with their tables.
#[derive(Debug)]
pub(super) struct Caches {
    all: Vec<Cache>,
    fetches: Slab<Fetch>,
    /// Leases for whose end somebody waits.
    leases: Slab<(u32, u32, u64)>,
    /// Writes that are under way in the background, by cache and host.
    behind: BTreeMap<(u32, u32), u32>,
}

#[derive(Debug)]
struct Cache {
    rules: Rules,
    tables: Vec<Table>,
    /// For each part, its first table, if its instances have their own; empty if there is one for all.
    first_of: Vec<u32>,
}

/// The options, as numbers.
#[derive(Clone, Copy, Debug)]
struct Rules {
    capacity: usize,
    evict: Evict,
    ttl: Duration,
    jitter: f64,
    renew: bool,
    stale: Duration,
    on_error: Duration,
    negative: Option<Duration>,
    beta: Option<f64>,
    coalesce: bool,
    lease: Option<Duration>,
    invalidates: bool,
}

impl Rules {
    fn new(spec: &Spec) -> Self {
        let span = |it: Option<Span>| it.map_or(Duration::ZERO, |it| it.0);
        Self {
            capacity: spec.capacity.map_or(usize::MAX, |most| most as usize),
            evict: spec.evict.unwrap_or_default(),
            ttl: spec.ttl.map_or(Duration::FOREVER, |it| it.0),
            jitter: spec.ttl_jitter.map_or(0.0, |it| it.0),
            renew: spec.renew_on_access,
            stale: span(spec.stale_while_revalidate),
            on_error: span(spec.stale_if_error),
            negative: spec.negative.map(|it| it.0),
            beta: spec.early_refresh.map(|it| it.beta),
            coalesce: spec.coalesce,
            lease: spec.lease.map(|it| it.0),
            invalidates: spec.on_error == OnError::Invalidate,
        }
    }

    /// When an entry that is fetched or used now expires.
    fn expiry(&self, now: Time, lives: &mut Stream) -> Time {
        if self.ttl == Duration::FOREVER {
            return Time::NEVER;
        }
        let ttl =
            if self.jitter > 0.0 { self.ttl.scale(1.0 + self.jitter * (2.0 * lives.unit() - 1.0)) } else { self.ttl };
        now + ttl
    }
}

/// A fetch that is under way.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    cache: u32,
    table: u32,
    key: u64,
    began: Time,
}

/// The entries of one instance, or of all.
#[derive(Debug)]
struct Table {
    entries: Vec<Entry>,
    /// Where the entry of a key is.
    index: BTreeMap<u64, u32>,
    /// The keys in the order in which they make room, if room is ever made in an order.
    order: BTreeMap<(u64, u64), u64>,
    tick: u64,
    /// Keys that are being fetched or waited for.
    flights: BTreeMap<u64, Flight>,
    /// Keys of which a lease was given lately, and when, in that order.
    leased: BTreeMap<u64, Time>,
    given: VecDeque<(Time, u64)>,
    lives: Stream,
    early: Stream,
    victims: Stream,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    rank: (u64, u64),
    value: Option<Value>,
    /// How its last fetch failed, and until when that is remembered.
    failed: Option<(Outcome, Time)>,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    expires: Time,
    /// How long its fetch took.
    took: Duration,
    /// Whether it was seen to have expired.
    seen_stale: bool,
    /// Whether it is being fetched early.
    early: bool,
}

#[derive(Debug, Default)]
struct Flight {
    running: u32,
    waiting: VecDeque<Handle>,
    /// The event of the end of the lease that they wait for, and its name.
    timer: Option<(Key, Handle)>,
}

impl Caches {
    pub(super) fn new(plan: &Plan, hosts: &Hosts, streams: &Streams, note: &mut impl FnMut(u32, i64)) -> Self {
        let mut all = Vec::new();
        for (number, spec) in plan.caches.iter().enumerate() {
            let rules = Rules::new(&spec.spec);
            let mut names = Vec::new();
            let mut first_of = Vec::new();
            let mut instances = |part: usize| {
                let name = plan.part_name(part);
                let first = names.len() as u32;
                names.extend((0..plan.instances(part)).map(|it| format!("cache/{}/{name}/{it}", spec.name)));
                first
            };
            if let Some(service) = spec.at {
                instances(plan.clients.len() + service as usize);
            } else if spec.spec.shared {
                names.push(format!("cache/{}/all", spec.name));
            } else {
                first_of.resize(plan.parts(), NOWHERE);
                for &part in &spec.users {
                    first_of[part as usize] = instances(part as usize);
                }
            }
            let warm = spec.spec.warm.unwrap_or(0);
            let tables = names.iter().map(|name| {
                let mut table = Table::new(name, streams);
                let mut uses = streams.named(&format!("{name}/warm"));
                // The most popular is the one that was used last.
                for key in (0..warm).rev() {
                    let expires = if rules.ttl == Duration::FOREVER {
                        Time::NEVER
                    } else {
                        Time::ZERO + rules.ttl.scale(uses.open_unit())
                    };
                    table.insert(&rules, key);
                    let value = Value { expires, took: Duration::ZERO, seen_stale: false, early: false };
                    table.at(key).expect("it was put in").value = Some(value);
                }
                table
            });
            let tables: Vec<Table> = tables.collect();
            note(number as u32, tables.iter().map(|it| it.entries.len() as i64).sum());
            all.push(Cache { rules, tables, first_of });
        }
        debug_assert!(hosts.first(0) == 0, "hosts are counted from zero");
        Self { all, fetches: Slab::default(), leases: Slab::default(), behind: BTreeMap::new() }
    }

    /// The table that a host uses, if no service holds it.
    pub(super) fn table_of(&self, cache: u32, host: u32, hosts: &Hosts) -> u32 {
        let cache = &self.all[cache as usize];
        if cache.first_of.is_empty() {
            return 0;
        }
        let part = hosts.part_of(host);
        cache.first_of[part] + (host - hosts.first(part))
    }

    /// A key is looked up; `again` if that was counted before.
    pub(super) fn look(&mut self, cx: &mut Context<'_>, cache: u32, table: u32, key: u64, again: bool) -> Look {
        let now = cx.engine.now();
        let mut tell = |what| cx.note(Fact::Cache { cache, what });
        let (look, seen) = if table == NOWHERE {
            (Look::Nothing, Seen::Unreachable)
        } else {
            let it = &mut self.all[cache as usize];
            it.tables[table as usize].look(&it.rules, key, now, &mut tell)
        };
        if !again {
            tell(CacheFact::Looked(seen));
        }
        look
    }

    /// What there is after a fetch has failed: a hit, if somebody else has put a fresh entry in meanwhile, or a stale entry, if that
    /// may be given.
    pub(super) fn spares(&mut self, cx: &mut Context<'_>, cache: u32, table: u32, key: u64) -> Option<Seen> {
        if table == NOWHERE {
            return None;
        }
        let now = cx.engine.now();
        let it = &mut self.all[cache as usize];
        let entry = it.tables[table as usize].at(key)?;
        if entry.value.is_some_and(|value| now < value.expires) {
            return Some(Seen::Hit);
        }
        it.rules.is_spared(entry, now).then(|| {
            cx.note(Fact::Cache { cache, what: CacheFact::Spared });
            Seen::Stale
        })
    }

    /// A fetch begins.
    pub(super) fn fetch(&mut self, cx: &mut Context<'_>, cache: u32, table: u32, key: u64, why: Why) -> Handle {
        let began = cx.engine.now();
        if table != NOWHERE {
            self.all[cache as usize].tables[table as usize].flights.entry(key).or_default().running += 1;
        }
        cx.note(Fact::Cache { cache, what: CacheFact::Fetches { early: why == Why::Early } });
        self.fetches.insert(Fetch { cache, table, key, began })
    }

    /// A task waits for a fetch, or for the end of a lease.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>, cache: u32, table: u32, key: u64, task: Handle) {
        let it = &mut self.all[cache as usize];
        let table_of_key = &mut it.tables[table as usize];
        // Who waits only because another one fetches has no lease to wait for.
        let over = it.rules.lease.and_then(|lease| Some(table_of_key.given_at(key)? + lease));
        let lease = over.filter(|&over| over > cx.engine.now());
        let flight = table_of_key.flights.entry(key).or_default();
        flight.waiting.push_back(task);
        if let Some(over) = lease
            && flight.timer.is_none()
        {
            let name = self.leases.insert((cache, table, key));
            let timer = cx.engine.at(over, super::Event::Cache(Event::LeaseOver(name)));
            flight.timer = Some((timer, name));
        }
    }

    /// A lease is over: those who wait look again.
    pub(super) fn lease_over(&mut self, cx: &mut Context<'_>, name: Handle) {
        let Some(&(cache, table, key)) = self.leases.get(name) else { return };
        self.leases.remove(name);
        let table = &mut self.all[cache as usize].tables[table as usize];
        if let Some(flight) = table.flights.get_mut(&key) {
            flight.timer = None;
            wake(cx, &mut flight.waiting, Outcome::Cancelled);
        }
        table.land(key);
    }

    /// A fetch has ended; `cancelled` if it was given up.
    pub(super) fn fetched(&mut self, cx: &mut Context<'_>, fetch: Handle, outcome: Outcome) {
        let Some(&Fetch { cache, table, key, .. }) = self.fetches.get(fetch) else { return };
        self.fetches.remove(fetch);
        if table == NOWHERE {
            return;
        }
        let now = cx.engine.now();
        let Cache { rules, tables, .. } = &mut self.all[cache as usize];
        let table = &mut tables[table as usize];
        if outcome.is_failure() && outcome != Outcome::Cancelled {
            let mut tell = |what| cx.note(Fact::Cache { cache, what });
            if rules.invalidates {
                table.delete(rules, key, now, &mut tell);
            }
            if let Some(lasts) = rules.negative {
                table.remember(rules, key, (outcome, now + lasts), &mut tell);
            }
        }
        let Some(flight) = table.flights.get_mut(&key) else { return };
        flight.running -= 1;
        // A failure is waited out where a lease says when the next may try.
        let waits_on = !outcome.is_answer() && (flight.running > 0 || flight.timer.is_some());
        if !waits_on {
            if let Some((timer, name)) = flight.timer.take() {
                cx.engine.cancel(timer);
                self.leases.remove(name);
            }
            wake(cx, &mut flight.waiting, outcome);
        }
        table.land(key);
    }

    /// When a fetch began.
    pub(super) fn began(&self, fetch: Handle) -> Option<Time> {
        self.fetches.get(fetch).map(|it| it.began)
    }

    /// The table in which a fetch found nothing.
    pub(super) fn place_of(&self, fetch: Handle) -> Option<(u32, u64)> {
        self.fetches.get(fetch).map(|it| (it.table, it.key))
    }

    /// An entry is put in. How long its fetch took, if it was one.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>, cache: u32, table: u32, key: u64, took: Option<Duration>) {
        let now = cx.engine.now();
        let Cache { rules, tables, .. } = &mut self.all[cache as usize];
        let mut tell = |what| cx.note(Fact::Cache { cache, what });
        tables[table as usize].fill(rules, key, took, now, &mut tell);
    }

    /// An entry is deleted.
    pub(super) fn delete(&mut self, cx: &mut Context<'_>, cache: u32, table: u32, key: u64) {
        let now = cx.engine.now();
        let Cache { rules, tables, .. } = &mut self.all[cache as usize];
        tables[table as usize].delete(rules, key, now, &mut |what| cx.note(Fact::Cache { cache, what }));
    }

    /// How many tables a cache has.
    pub(super) fn tables(&self, cache: u32) -> u32 {
        self.all[cache as usize].tables.len() as u32
    }

    /// Everything in a table is gone.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, cache: u32, table: u32) {
        let gone = self.all[cache as usize].tables[table as usize].clear();
        cx.note(Fact::Cache { cache, what: CacheFact::Entries(-(gone as i64)) });
    }

    /// A process is gone, with the tables that it held.
    pub(super) fn crash(&mut self, cx: &mut Context<'_>, host: u32) {
        let part = cx.hosts.part_of(host);
        let instance = host - cx.hosts.first(part);
        for number in 0..self.all.len() {
            let cache = &self.all[number];
            let held_by = cx.plan.caches[number].at.map(|service| cx.plan.clients.len() + service as usize);
            let table = match held_by {
                Some(holder) => (holder == part).then_some(instance),
                None => cache.first_of.get(part).filter(|&&first| first != NOWHERE).map(|first| first + instance),
            };
            if let Some(table) = table {
                self.flush(cx, number as u32, table);
            }
        }
    }

    /// A write begins in the background, unless there are so many already.
    pub(super) fn begin_behind(&mut self, cx: &mut Context<'_>, cache: u32, host: u32, most: u32) -> bool {
        let under_way = self.behind.entry((cache, host)).or_default();
        let has_room = *under_way < most;
        if has_room {
            *under_way += 1;
            cx.note(Fact::Cache { cache, what: CacheFact::Behind(1) });
        }
        has_room
    }

    /// A write in the background is over, well or not.
    pub(super) fn end_behind(&mut self, cx: &mut Context<'_>, cache: u32, host: u32, well: bool) {
        *self.behind.get_mut(&(cache, host)).expect("it has begun") -= 1;
        cx.note(Fact::Cache { cache, what: CacheFact::Behind(-1) });
        if !well {
            cx.note(Fact::Cache { cache, what: CacheFact::LostWrite });
        }
    }

    /// Whether nobody waits, and nothing is fetched or written. Asserted when nothing is under way.
    pub(super) fn at_rest(&self) -> bool {
        let tables = || self.all.iter().flat_map(|it| it.tables.iter().map(|table| (table, it.rules.capacity)));
        // Those who had waited for a lease are gone, and it is not over yet.
        let is_lease = |flight: &Flight| flight.running == 0 && flight.timer.is_some();
        let leases: usize = tables().map(|(table, _)| table.flights.len()).sum();
        self.fetches.is_empty()
            && self.leases.len() == leases
            && self.behind.values().all(|&count| count == 0)
            && tables().all(|(table, capacity)| table.flights.values().all(is_lease) && table.entries.len() <= capacity)
    }

    pub(super) fn bytes(&self) -> usize {
        let tables = self.all.iter().flat_map(|it| &it.tables);
        // What a tree holds besides its items is about as much again.
        let bytes = |it: &Table| {
            it.entries.capacity() * size_of::<Entry>()
                + it.index.len() * 32
                + it.order.len() * 48
                + it.given.len() * 48
                + it.flights.len() * 2 * size_of::<Flight>()
        };
        tables.map(bytes).sum::<usize>() + self.fetches.bytes()
    }
}

/// Those who wait go on, each in an event of its own.
fn wake(cx: &mut Context<'_>, waiting: &mut VecDeque<Handle>, outcome: Outcome) {
    for task in waiting.drain(..) {
        // One that was stopped has not said so.
        if let Some(it) = cx.tasks.get_mut(task)
            && it.state == State::WaitsForFetch
        {
            it.state = State::Woken(outcome);
            cx.engine.after(Duration::ZERO, super::Event::Cache(Event::Woken(task)));
        }
    }
}

impl Rules {
    fn is_spared(&self, entry: &Entry, now: Time) -> bool {
        entry.value.is_some_and(|value| now < value.expires + self.on_error)
    }
}

impl Table {
    fn new(name: &str, streams: &Streams) -> Self {
        let stream = |what: &str| streams.named(&format!("{name}/{what}"));
        Self {
            entries: Vec::new(),
            index: BTreeMap::new(),
            order: BTreeMap::new(),
            tick: 0,
            flights: BTreeMap::new(),
            leased: BTreeMap::new(),
            given: VecDeque::new(),
            lives: stream("lives"),
            early: stream("early"),
            victims: stream("victims"),
        }
    }

    fn at(&mut self, key: u64) -> Option<&mut Entry> {
        self.index.get(&key).map(|&place| &mut self.entries[place as usize])
    }

    fn look(&mut self, rules: &Rules, key: u64, now: Time, tell: &mut impl FnMut(CacheFact)) -> (Look, Seen) {
        let is_fetched = self.flights.get(&key).is_some_and(|it| it.running > 0);
        let Some(&place) = self.index.get(&key) else { return self.miss(rules, key, now, is_fetched) };
        let entry = &mut self.entries[place as usize];
        let failed = entry.failed.filter(|(_, until)| now < *until).map(|(outcome, _)| outcome);
        if let Some(value) = &mut entry.value {
            if now < value.expires {
                let at_once = is_fetched && (rules.coalesce || rules.lease.is_some());
                let refresh = match rules.beta {
                    Some(beta) if failed.is_none() && !at_once => {
                        let ahead = value.took.scale(beta * self.early.exponential());
                        now + ahead >= value.expires
                    }
                    _ => false,
                };
                if refresh && !value.early {
                    value.early = true;
                    tell(CacheFact::Lead(value.expires - now));
                }
                if rules.renew {
                    value.expires = rules.expiry(now, &mut self.lives);
                }
                self.touch(rules, place);
                return (Look::Entry { refresh: refresh.then_some(Why::Early) }, Seen::Hit);
            }
            if !value.seen_stale {
                value.seen_stale = true;
                tell(CacheFact::Expired);
            }
            let expires = value.expires;
            if failed.is_some() && rules.is_spared(entry, now) {
                self.touch(rules, place);
                return (Look::Spared, Seen::Stale);
            }
            if now < expires + rules.stale {
                let refresh = failed.is_none() && !is_fetched && self.may_fetch(rules, key, now);
                self.touch(rules, place);
                return (Look::Entry { refresh: refresh.then_some(Why::Stale) }, Seen::Stale);
            }
            if failed.is_none() && now >= expires + rules.stale.max(rules.on_error) {
                self.remove(key);
                tell(CacheFact::Entries(-1));
            }
        }
        match failed {
            Some(outcome) => (Look::Failure(outcome), Seen::Negative),
            None => self.miss(rules, key, now, is_fetched),
        }
    }

    fn miss(&mut self, rules: &Rules, key: u64, now: Time, is_fetched: bool) -> (Look, Seen) {
        if (rules.coalesce && is_fetched) || !self.may_fetch(rules, key, now) {
            (Look::Wait, Seen::Coalesced)
        } else {
            (Look::Nothing, Seen::Miss)
        }
    }

    /// Whether the key's lease is free, which is then given.
    fn may_fetch(&mut self, rules: &Rules, key: u64, now: Time) -> bool {
        let Some(lease) = rules.lease else { return true };
        while let Some(&(at, old)) = self.given.front()
            && at + lease <= now
        {
            self.given.pop_front();
            self.leased.remove(&old);
        }
        let is_free = !self.leased.contains_key(&key);
        if is_free {
            self.leased.insert(key, now);
            self.given.push_back((now, key));
        }
        is_free
    }

    /// When the lease of a key was given.
    fn given_at(&self, key: u64) -> Option<Time> {
        self.leased.get(&key).copied()
    }

    /// Nobody fetches a key any more, or waits for it: nothing is kept of that.
    fn land(&mut self, key: u64) {
        if self.flights.get(&key).is_some_and(|it| it.running == 0 && it.waiting.is_empty() && it.timer.is_none()) {
            self.flights.remove(&key);
        }
    }

    fn touch(&mut self, rules: &Rules, place: u32) {
        if rules.capacity == usize::MAX {
            return;
        }
        self.tick += 1;
        let entry = &mut self.entries[place as usize];
        let rank = match rules.evict {
            Evict::Lru => (self.tick, 0),
            Evict::Lfu => (entry.rank.0 + 1, self.tick),
            Evict::Fifo | Evict::Random | Evict::Never => return,
        };
        self.order.remove(&entry.rank);
        entry.rank = rank;
        self.order.insert(rank, entry.key);
    }

    /// An entry without anything in it. The change in their number; none if there was no room.
    fn insert(&mut self, rules: &Rules, key: u64) -> (bool, bool) {
        let mut evicted = false;
        if self.entries.len() >= rules.capacity {
            let victim = match rules.evict {
                Evict::Lru | Evict::Lfu | Evict::Fifo => self.order.first_key_value().map(|(_, &key)| key),
                Evict::Random => {
                    let place = self.victims.below(self.entries.len() as u64);
                    Some(self.entries[place as usize].key)
                }
                Evict::Never => None,
            };
            let Some(victim) = victim else { return (false, false) };
            self.remove(victim);
            evicted = true;
        }
        self.tick += 1;
        let rank = match rules.evict {
            Evict::Lfu => (1, self.tick),
            _ => (self.tick, 0),
        };
        self.index.insert(key, self.entries.len() as u32);
        self.entries.push(Entry { key, rank, value: None, failed: None });
        if rules.capacity != usize::MAX && matches!(rules.evict, Evict::Lru | Evict::Lfu | Evict::Fifo) {
            self.order.insert(rank, key);
        }
        (true, evicted)
    }

    fn remove(&mut self, key: u64) {
        let place = self.index.remove(&key).expect("the entry is there") as usize;
        let gone = self.entries.swap_remove(place);
        self.order.remove(&gone.rank);
        if let Some(moved) = self.entries.get(place) {
            self.index.insert(moved.key, place as u32);
        }
    }

    /// The entry of a key, made if there is none; none if there is no room.
    fn entry(&mut self, rules: &Rules, key: u64, tell: &mut impl FnMut(CacheFact)) -> Option<u32> {
        if let Some(&place) = self.index.get(&key) {
            return Some(place);
        }
        let (is_in, evicted) = self.insert(rules, key);
        if evicted {
            tell(CacheFact::Evicted);
        } else if is_in {
            tell(CacheFact::Entries(1));
        }
        is_in.then(|| self.entries.len() as u32 - 1)
    }

    fn fill(&mut self, rules: &Rules, key: u64, took: Option<Duration>, now: Time, tell: &mut impl FnMut(CacheFact)) {
        let Some(place) = self.entry(rules, key, tell) else { return };
        let expires = rules.expiry(now, &mut self.lives);
        let entry = &mut self.entries[place as usize];
        let before = entry.value.map_or(Duration::ZERO, |it| it.took);
        entry.value = Some(Value { expires, took: took.unwrap_or(before), seen_stale: false, early: false });
        entry.failed = None;
    }

    /// A failure is remembered.
    fn remember(&mut self, rules: &Rules, key: u64, failed: (Outcome, Time), tell: &mut impl FnMut(CacheFact)) {
        if let Some(place) = self.entry(rules, key, tell) {
            self.entries[place as usize].failed = Some(failed);
        }
    }

    fn delete(&mut self, rules: &Rules, key: u64, now: Time, tell: &mut impl FnMut(CacheFact)) {
        let Some(entry) = self.at(key) else { return };
        // Where leases are given, what was deleted is kept for those who may have it stale.
        if rules.lease.is_some()
            && !rules.stale.is_zero()
            && let Some(value) = &mut entry.value
        {
            value.expires = value.expires.min(now);
            value.seen_stale = true;
            return;
        }
        self.remove(key);
        tell(CacheFact::Entries(-1));
    }

    fn clear(&mut self) -> usize {
        let gone = self.entries.len();
        self.entries.clear();
        self.index.clear();
        self.order.clear();
        self.leased.clear();
        self.given.clear();
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks a key up, and puts it in if it is not there. Whether it was.
    fn ask(table: &mut Table, rules: &Rules, key: u64, now: u64) -> bool {
        let now = Time::ZERO + Duration::from_millis(now);
        let hit = matches!(table.look(rules, key, now, &mut |_| {}).0, Look::Entry { .. });
        if !hit {
            table.fill(rules, key, None, now, &mut |_| {});
        }
        hit
    }

    fn hits(evict: Evict, keys: &[u64]) -> Vec<u64> {
        let rules = Rules::new(&Spec { capacity: Some(2), evict: Some(evict), ..Spec::default() });
        let mut table = Table::new("one", &Streams::new(1));
        keys.iter().zip(0..).filter(|(key, now)| ask(&mut table, &rules, **key, *now)).map(|(key, _)| *key).collect()
    }

    #[test]
    fn orders_make_room_for_the_next() {
        // In this order the second 1 is a hit in all of them; 3 then takes the place of somebody.
        assert_eq!(hits(Evict::Lru, &[1, 2, 1, 3, 1, 2]), [1, 1]);
        assert_eq!(hits(Evict::Fifo, &[1, 2, 1, 3, 2, 1]), [1, 2]);
        assert_eq!(hits(Evict::Never, &[1, 2, 1, 3, 1, 2, 3]), [1, 1, 2]);
        // 1 was used thrice; of 2, 3 and 4, which were used once, the one that came last stays.
        assert_eq!(hits(Evict::Lfu, &[1, 1, 1, 2, 3, 4, 1, 4]), [1, 1, 1, 4]);
    }

    #[test]
    fn a_table_agrees_with_a_list_in_order_of_use() {
        let rules = Rules::new(&Spec { capacity: Some(7), ..Spec::default() });
        let (mut table, mut keys) = (Table::new("one", &Streams::new(1)), Streams::new(2).named("keys"));
        let mut list: Vec<u64> = Vec::new();
        for now in 0..10_000 {
            let key = keys.below(20);
            let was_there = list.contains(&key);
            assert_eq!(ask(&mut table, &rules, key, now), was_there);
            list.retain(|&other| other != key);
            list.push(key);
            if list.len() > 7 {
                list.remove(0);
            }
            if now % 100 == 0 {
                let at = Time::ZERO + Duration::from_millis(now);
                table.delete(&rules, key, at, &mut |_| {});
                list.pop();
            }
            assert_eq!(
                (table.entries.len(), table.index.len(), table.order.len()),
                (list.len(), list.len(), list.len())
            );
        }
    }

    #[test]
    fn a_lease_is_given_once_in_its_time() {
        let rules = Rules::new(&Spec { lease: Some(Span(Duration::from_secs(10))), ..Spec::default() });
        let mut table = Table::new("one", &Streams::new(1));
        let given: Vec<u64> =
            (0..40).filter(|&second| table.may_fetch(&rules, 7, Time::ZERO + Duration::from_secs(second))).collect();
        assert_eq!(given, [0, 10, 20, 30]);
        assert!(table.may_fetch(&rules, 8, Time::ZERO + Duration::from_secs(39)));
    }
}
