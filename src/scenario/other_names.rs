//! What other libraries and texts call the things of the files, so that who comes from there is told the name here.
//!
//! Letters and digits alone count: `max_ejection_percent`, `maxEjectionPercent` and `MAX_EJECTION_PERCENT` are one name.

/// A name that is used elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OtherName {
    /// The name there.
    pub theirs: &'static str,
    /// The names here: which one is meant depends on where it stands.
    pub here: &'static [&'static str],
    /// Whose name it is; empty if it is everybody's.
    pub of: &'static str,
    /// What is different, as a sentence; empty if nothing is.
    pub note: &'static str,
}

const fn name(theirs: &'static str, here: &'static [&'static str], of: &'static str) -> OtherName {
    OtherName { theirs, here, of, note: "" }
}

impl OtherName {
    const fn but(self, note: &'static str) -> OtherName {
        OtherName { note, ..self }
    }
}

/// Every name that is known from elsewhere.
const OTHER_NAMES: &[OtherName] = &[
    // Patterns.
    name("circuit_breaker", &["breaker"], ""),
    name("circuit_breakers", &["bulkhead"], "Envoy")
        .but("Envoy's limit what is under way; what opens is its outlier detection."),
    name("time_limiter", &["timeout"], "resilience4j"),
    name("hedging", &["hedge"], ""),
    name("hedging_policy", &["hedge"], "gRPC"),
    name("hedge_on_per_try_timeout", &["hedge"], "Envoy"),
    name("speculative", &["hedge"], ""),
    name("retries", &["retry", "attempts"], ""),
    name("retry_policy", &["retry"], "Envoy, gRPC"),
    name("retry_budget", &["budget", "retry"], "Envoy, Finagle"),
    name("budget", &["retry", "hedge"], ""),
    name("backoff", &["retry"], ""),
    name("jitter", &["retry"], ""),
    name("retry_throttling", &["budget", "retry"], "gRPC"),
    name("thread_pool", &["bulkhead", "workers"], ""),
    name("thread_pool_bulkhead", &["bulkhead"], "resilience4j"),
    name("threads", &["workers"], ""),
    name("data_source", &["connection_pool"], ""),
    name("maximum_pool_size", &["size", "connection_pool"], "HikariCP"),
    name("max_total", &["size", "connection_pool"], "Apache HttpClient"),
    name("connection_timeout", &["max_wait", "connection_pool"], "HikariCP"),
    name("max_concurrent_streams", &["streams", "connection_pool"], "HTTP/2"),
    name("max_connections", &["max", "connections"], "PostgreSQL, MySQL"),
    name("max_threads", &["workers"], ""),
    name("semaphore", &["bulkhead"], ""),
    name("rate_limiter", &["rate_limit"], "resilience4j"),
    name("rate_limiting", &["rate_limit"], ""),
    name("throttle", &["rate_limit", "adaptive_throttle"], ""),
    name("throttling", &["rate_limit", "adaptive_throttle"], ""),
    name("token_bucket", &["rate_limit", "retry"], ""),
    name("leaky_bucket", &["rate_limit"], ""),
    name("load_shedding", &["shed", "codel", "limit"], ""),
    name("load_shedder", &["shed", "codel", "limit"], ""),
    name("admission_control", &["shed", "limit", "adaptive_throttle"], ""),
    name("adaptive_concurrency", &["concurrency_limit", "limit"], "Envoy"),
    name("concurrency_limiter", &["concurrency_limit", "bulkhead", "limit"], ""),
    name("cache", &["fallback", "single_flight"], ""),
    name("coalescing", &["single_flight"], ""),
    name("request_collapsing", &["single_flight"], "Hystrix"),
    name("deduplication", &["idempotency", "single_flight"], ""),
    name("outlier", &["outlier_ejection"], ""),
    name("outliers", &["outlier_ejection"], ""),
    name("outlier_detection", &["outlier_ejection"], "Envoy, gRPC"),
    name("failure_accrual", &["outlier_ejection"], "Finagle, Linkerd"),
    name("panic", &["panic_threshold"], ""),
    name("panic_mode", &["panic_threshold"], ""),
    name("healthy_panic_threshold", &["panic_threshold"], "Envoy"),
    name("liveness", &["health_check"], "Kubernetes"),
    name("readiness_probe", &["health_check"], "Kubernetes"),
    name("locality", &["zones"], "Envoy, Istio"),
    name("locality_failover", &["zones"], "Istio"),
    name("zone_aware", &["zones"], ""),
    name("prefer_close", &["zones"], "Kubernetes"),
    name("prefer_same_zone", &["zones"], "Kubernetes"),
    name("traffic_distribution", &["zones"], "Kubernetes"),
    name("availability_zone", &["zones"], ""),
    name("warm_up", &["slow_start", "warmup"], ""),
    name("load_balancing", &["balance"], ""),
    name("load_balancer", &["balance"], ""),
    name("edf", &["earliest_deadline"], ""),
    name("flow_control", &["credits", "backpressure"], ""),
    name("gateway_timeout", &["timeout", "unavailable"], ""),
    // Algorithms of balancers.
    name("least_request", &["power_of_two"], "Envoy and gRPC")
        .but("They draw two replicas and take the one with fewer requests; `least_requests` looks at all of them."),
    name("weighted_least_request", &["power_of_two"], "Envoy"),
    name("p2c", &["power_of_two"], "Finagle, Linkerd"),
    name("power_of_two_choices", &["power_of_two"], ""),
    name("choice_count", &["power_of_choices"], "Envoy"),
    name("least_conn", &["least_requests"], "nginx, HAProxy"),
    name("least_connections", &["least_requests"], ""),
    name("least_outstanding_requests", &["least_requests"], "AWS"),
    name("consistent_hash", &["ring_hash"], ""),
    name("consistent_hashing", &["ring_hash"], ""),
    name("weighted_round_robin", &["weighted"], ""),
    name("lb_policy", &["by", "balance"], "Envoy"),
    // Retries.
    name("max_attempts", &["attempts", "spares", "retry", "hedge"], "resilience4j, gRPC")
        .but("The first counts; in a `hedge`, `spares` is one less."),
    name("num_retries", &["attempts", "retry"], "Envoy").but("It counts retries: `attempts` is one more."),
    name("max_retries", &["attempts", "retry"], "").but("It counts retries: `attempts` is one more."),
    name("max_retry_attempts", &["attempts", "retry"], "Polly").but("It counts retries: `attempts` is one more."),
    name("retry_count", &["attempts", "retry"], "").but("It counts retries: `attempts` is one more."),
    name("retry_on", &["on", "retry"], "Envoy"),
    name("retryable_status_codes", &["on", "retry"], "gRPC"),
    name("retriable_status_codes", &["on", "retry"], "Envoy"),
    name("retry_exceptions", &["on", "retry"], "resilience4j"),
    name("should_handle", &["on"], "Polly"),
    name("per_try_timeout", &["timeout"], "Envoy")
        .but("A `timeout` behind the `retry` in the list limits each attempt."),
    name("retry_back_off", &["backoff"], "Envoy"),
    name("wait_duration", &["backoff", "retry"], "resilience4j"),
    name("interval_function", &["backoff", "retry"], "resilience4j"),
    name("backoff_type", &["backoff", "retry"], "Polly"),
    name("base_interval", &["base", "backoff", "retry"], "Envoy"),
    name("initial_backoff", &["base", "backoff", "retry"], "gRPC"),
    name("max_interval", &["cap", "backoff", "retry"], "Envoy"),
    name("max_backoff", &["cap", "backoff", "retry"], "gRPC"),
    name("max_delay", &["cap", "backoff", "retry"], "Polly"),
    name("multiplier", &["factor", "backoff"], ""),
    name("backoff_multiplier", &["factor", "backoff", "retry"], "gRPC"),
    name("use_jitter", &["jitter", "retry"], "Polly"),
    name("randomization_factor", &["jitter", "retry"], "resilience4j"),
    name("max_elapsed_time", &["within", "retry"], "cenkalti/backoff"),
    name("max_duration", &["within", "retry"], "Failsafe"),
    name("budget_percent", &["share", "retry"], "Envoy"),
    name("min_retry_concurrency", &["min_concurrency", "retry"], "Envoy"),
    name("percent_can_retry", &["share", "retry"], "Finagle"),
    name("min_retries_per_sec", &["min_retries", "retry"], "Finagle"),
    // Timeouts and spares.
    name("timeout_duration", &["after", "wait", "timeout"], "resilience4j"),
    name("execution_timeout_in_milliseconds", &["after", "timeout"], "Hystrix"),
    name("hedging_delay", &["after", "hedge"], "gRPC"),
    name("max_hedged_attempts", &["spares", "hedge"], "Polly"),
    name("delay", &["after", "base", "backoff"], "Polly"),
    // Breakers.
    name("failure_rate_threshold", &["failure_rate", "breaker"], "resilience4j"),
    name("failure_ratio", &["failure_rate", "breaker"], "Polly"),
    name("error_threshold_percentage", &["failure_rate", "breaker"], "Hystrix"),
    name("slow_call_rate_threshold", &["rate", "slow_call", "breaker"], "resilience4j"),
    name("slow_call_duration_threshold", &["after", "slow_call", "breaker"], "resilience4j"),
    name("wait_duration_in_open_state", &["open_for", "breaker"], "resilience4j"),
    name("break_duration", &["open_for", "breaker"], "Polly"),
    name("sleep_window_in_milliseconds", &["open_for", "breaker"], "Hystrix"),
    name("permitted_number_of_calls_in_half_open_state", &["probes", "breaker"], "resilience4j"),
    name("max_wait_duration_in_half_open_state", &["half_open_for", "breaker"], "resilience4j"),
    name("sliding_window_size", &["window", "breaker"], "resilience4j"),
    name("sliding_window_type", &["window", "breaker"], "resilience4j"),
    name("sampling_duration", &["window", "breaker"], "Polly"),
    name("minimum_number_of_calls", &["minimum_calls", "breaker"], "resilience4j"),
    name("minimum_throughput", &["minimum_calls", "breaker"], "Polly"),
    name("request_volume_threshold", &["minimum_calls", "breaker"], "Hystrix"),
    name("record_exceptions", &["on", "breaker"], "resilience4j"),
    name("ignore_exceptions", &["ignore", "breaker"], "resilience4j"),
    // Limits of concurrency; a breaker of gobreaker has `MaxRequests` too.
    name("max_requests", &["probes", "concurrent", "bulkhead", "breaker"], "Envoy, gobreaker"),
    name("max_concurrent_calls", &["concurrent", "bulkhead"], "resilience4j"),
    name("max_concurrent_requests", &["concurrent", "bulkhead"], "Hystrix"),
    name("max_thread_pool_size", &["concurrent", "bulkhead"], "resilience4j"),
    name("core_size", &["concurrent", "bulkhead"], "Hystrix"),
    name("permit_limit", &["concurrent", "bulkhead"], ".NET"),
    name("max_wait_duration", &["wait", "bulkhead"], "resilience4j"),
    name("max_pending_requests", &["waiting", "bulkhead", "connection_pool"], "Envoy"),
    name("queue_capacity", &["waiting", "capacity", "bulkhead"], "resilience4j"),
    name("queue_limit", &["waiting", "bulkhead"], ".NET"),
    name("limit_for_period", &["rate", "rate_limit"], "resilience4j"),
    // Ejection and health checks.
    name("consecutive_5xx", &["consecutive_failures", "outlier_ejection"], "Envoy"),
    name("consecutive_gateway_failure", &["consecutive_failures", "outlier_ejection"], "Envoy")
        .but("With it goes `on: [ timeout, unavailable, unreachable ]`."),
    name("max_ejection_percent", &["max_ejected", "outlier_ejection"], "Envoy, gRPC"),
    name("failure_percentage_threshold", &["failure_rate", "outlier_ejection"], "Envoy"),
    name("failure_percentage_request_volume", &["minimum_calls", "outlier_ejection"], "Envoy"),
    name("unhealthy_threshold", &["unhealthy_after", "health_check"], "Envoy"),
    name("healthy_threshold", &["healthy_after", "health_check"], "Envoy"),
    name("failure_threshold", &["unhealthy_after", "consecutive_failures", "breaker"], "Kubernetes, Failsafe"),
    name("success_threshold", &["healthy_after", "successes", "breaker"], "Kubernetes, Failsafe"),
    name("period_seconds", &["every", "health_check"], "Kubernetes"),
    name("fall", &["unhealthy_after", "health_check"], "HAProxy"),
    name("rise", &["healthy_after", "health_check"], "HAProxy"),
    name("overprovisioning_factor", &["overprovisioning", "zones"], "Envoy")
        .but("There it is in per cent: 140 is `1.4`."),
    name("min_cluster_size", &["minimum_replicas", "zones"], "Envoy"),
    name("slow_start_window", &["window", "slow_start"], "Envoy"),
    name("min_weight_percent", &["minimum", "slow_start"], "Envoy"),
    name("instances", &["replicas"], ""),
    // Outcomes.
    name("429", &["throttled"], "HTTP"),
    name("resource_exhausted", &["throttled"], "gRPC"),
    name("too_many_requests", &["throttled"], "HTTP"),
    name("500", &["error"], "HTTP"),
    name("internal", &["error"], "gRPC"),
    name("502", &["unavailable"], "HTTP"),
    name("503", &["unavailable"], "HTTP"),
    name("504", &["unavailable"], "HTTP")
        .but("It is what a gateway answers when its own call timed out; `timeout` is the caller's own."),
    name("5xx", &["unavailable", "error"], "Envoy"),
    name("gateway_error", &["unavailable"], "Envoy"),
    name("deadline_exceeded", &["timeout"], "gRPC"),
    name("400", &["rejected"], "HTTP"),
    name("404", &["rejected"], "HTTP"),
    name("4xx", &["rejected"], "HTTP"),
    name("invalid_argument", &["rejected"], "gRPC"),
    name("reset", &["unreachable"], "Envoy"),
    name("connect_failure", &["unreachable"], "Envoy"),
    name("refused_stream", &["unreachable"], "Envoy"),
    // Presets.
    name("aws", &["aws-sdk"], ""),
    name("linkerd", &["finagle"], ""),
    name("dotnet", &["polly"], ""),
    // Messages.
    name("queues", &["topic"], "").but("A topic without partitions is a queue."),
    name("exchange", &["topic"], "RabbitMQ"),
    name("consumer_group", &["consumes"], "Kafka"),
    name("subscription", &["consumes"], "Pub/Sub"),
    name("prefetch", &["concurrency", "consumes"], "RabbitMQ"),
    name("prefetch_count", &["concurrency", "consumes"], "RabbitMQ"),
    name("dead_letter_queue", &["dead_letter", "consumes"], ""),
    name("dlq", &["dead_letter", "consumes"], ""),
    name("redrive_policy", &["dead_letter", "consumes"], "Amazon SQS"),
    name("max_receive_count", &["max_deliveries", "consumes"], "Amazon SQS"),
    name("max_delivery_attempts", &["max_deliveries", "consumes"], "Pub/Sub"),
    name("ack_deadline", &["visibility_timeout", "consumes"], "Pub/Sub"),
    name("max_poll_interval", &["visibility_timeout", "consumes"], "Kafka"),
    name("max_length", &["capacity", "topic"], "RabbitMQ"),
    name("drop_head", &["drop_oldest", "topic"], "RabbitMQ"),
    name("retention", &["max_age", "topic"], "Kafka"),
    name("message_ttl", &["max_age", "topic"], "RabbitMQ"),
];

/// Letters and digits, in small letters.
pub(crate) fn letters(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What is known of a name that is used elsewhere.
pub(crate) fn other_name(name: &str) -> Option<&'static OtherName> {
    // No such name is longer, and what a file holds may be.
    if name.len() > 100 {
        return None;
    }
    let wanted = letters(name);
    OTHER_NAMES.iter().find(|other| !wanted.is_empty() && letters(other.theirs) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_the_table_once() {
        let mut names: Vec<String> = OTHER_NAMES.iter().map(|other| letters(other.theirs)).collect();
        names.sort();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn all_names_here_are_in_the_reference() {
        let reference = include_str!("../../docs/reference.md");
        let presets = crate::policy::presets::PRESETS;
        let patterns = || crate::admission::PATTERNS.iter().chain(crate::balance::PATTERNS);
        for other in OTHER_NAMES {
            for here in other.here {
                let known = reference.contains(&format!("* `{here}`"))
                    || presets.iter().any(|it| it.name == *here)
                    || patterns().any(|it| it.name == *here);
                assert!(known, "{} stands for {here}, which is nowhere", other.theirs);
            }
        }
    }

    #[test]
    fn case_and_separators_do_not_count() {
        for name in ["circuit-breaker", "CircuitBreaker", "circuit_breaker", "circuitBreaker", "CIRCUIT BREAKER"] {
            assert_eq!(other_name(name).map(|it| it.here), Some(&["breaker"][..]), "{name}");
        }
        assert!(other_name("").is_none() && other_name("_").is_none() && other_name("payment").is_none());
    }
}
