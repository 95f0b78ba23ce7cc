-- name: worker_health
-- Workers, those that are gone only when $1 says so or they were alive within the hour or are in
-- quarantine.
SELECT h.worker_id,
       h.name,
       h.epoch,
       CASE WHEN w.quarantined_at IS NULL THEN h.state::text ELSE 'quarantined' END AS state,
       h.host,
       h.pid,
       h.device,
       h.software,
       w.numerics_ids,
       h.samples_per_second,
       h.silent_seconds,
       h.leases,
       h.training_run_id,
       to_char(h.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS registered_at,
       w.quarantine_reason
  FROM rrcm.worker_health h
  JOIN rrcm.worker w USING (worker_id)
 WHERE $1
    OR h.state <> 'gone'
    OR h.silent_seconds < 3600
    OR w.quarantined_at IS NOT NULL
 ORDER BY h.name
