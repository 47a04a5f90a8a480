//! Balancing: which replica, and what that attracts.

use super::{Ran, assert_binomial, run};

/// A request each 10 ms for 10 s, 999 in all, to replicas that take 105 ms.
fn balanced(balance: &str, replicas: u32, policies: &str, faults: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ replicas: {replicas}, balance: {balance}, operations: {{ get: [ work: 105ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 100/s }}, policies: [ {policies} ] }} }}
            "
        ),
        &format!("{{ length: 10s, faults: [ {faults} ] }}"),
    )
}

#[test]
fn round_robin_splits_exactly() {
    let ran = balanced("round_robin", 3, "", "");
    for replica in 0..3 {
        assert_eq!(ran.count(&format!("instance/s/{replica}"), "arrivals"), 333);
    }
}

#[test]
fn round_robin_starts_at_a_replica_that_is_drawn_for_each_caller() {
    let texts = super::Texts {
        model: "
            services: { s: { replicas: 2, operations: { get: [] } } }
            clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        experiment: "{ length: 1.5s }",
        data: &[],
    };
    let first = (1..=200).filter(|&seed| texts.run(seed).count("instance/s/0", "arrivals") == 1).count() as u64;
    assert_binomial(first, 200, 0.5);
}

#[test]
fn random_splits_by_chance() {
    let ran = balanced("random", 4, "", "");
    for replica in 0..4 {
        assert_binomial(ran.count(&format!("instance/s/{replica}"), "arrivals"), 999, 0.25);
    }
}

#[test]
fn least_requests_attracts_traffic_to_a_replica_that_fails_fast_and_round_robin_does_not() {
    let fault = "{ errors: { service: s, replica: 0, fast: true } }";
    let ran = balanced("round_robin", 2, "", fault);
    assert!(ran.count("instance/s/0", "arrivals").abs_diff(ran.count("instance/s/1", "arrivals")) == 1);
    // While the healthy replica works on a request, for 105 ms, the ten that come all go to the other, which is never
    // seen with one under way. So the healthy one gets at most one in eleven.
    let ran = balanced("least_requests", 2, "", fault);
    let healthy = ran.count("instance/s/1", "arrivals");
    assert!(healthy > 0 && healthy * 11 <= 999 + 10, "{healthy} of 999");
    assert_eq!(ran.count("client/c", "ok"), healthy);
    assert_eq!(ran.count("client/c", "failed.error"), 999 - healthy);
}

#[test]
fn a_choice_of_two_prefers_the_one_with_fewer_requests_under_way() {
    // The failing replica never has a request under way. The healthy one is taken if both draws fall on it, which has a
    // chance of a quarter, or, when it is idle, if the first does, which has one of a half. Idle it is seldom: so its share
    // is at least a quarter, and below the half that it would have if the draws were blind.
    let fault = "{ errors: { service: s, replica: 0, fast: true } }";
    let ran = balanced("power_of_two", 2, "", fault);
    let healthy = ran.count("instance/s/1", "arrivals");
    // The standard deviation of a count is at most that with a chance of one half.
    let sd = (999.0_f64 * 0.25).sqrt();
    assert!(healthy as f64 > 999.0 * 0.25 - 5.0 * sd && (healthy as f64) < 999.0 * 0.5 - 5.0 * sd, "{healthy}");
}

#[test]
fn a_retry_goes_through_the_balancer_again_and_elsewhere_if_asked() {
    // One of two replicas is down. A second choice at random meets it again with a chance of one half.
    let fault = "{ crash: { service: s, replica: 0 } }";
    let ran = balanced("random", 2, "retry: 2", fault);
    assert_binomial(ran.count("client/c", "failed.unreachable"), 999, 0.25);
    let ran = balanced("random", 2, "retry: { attempts: 2, elsewhere: true }", fault);
    assert_eq!(ran.count("client/c", "ok"), 999);
    assert_binomial(ran.count("client/c", "attempts") - 999, 999, 0.5);
    // Round robin goes on to the next in any case.
    let ran = balanced("round_robin", 2, "retry: 2", fault);
    assert_eq!(ran.count("client/c", "ok"), 999);
}

#[test]
fn elsewhere_is_granted_only_if_there_is_another() {
    let ran = balanced("round_robin", 1, "retry: { attempts: 2, elsewhere: true }", "{ crash: { service: s } }");
    assert_eq!(ran.count("client/c", "failed.unreachable"), 999);
    assert_eq!(ran.count("client/c", "attempts"), 2 * 999);
}
