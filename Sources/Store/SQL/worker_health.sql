-- name: worker_health
SELECT worker_id,
       name,
       epoch,
       state::text AS state,
       host,
       pid,
       device,
       samples_per_second,
       silent_seconds,
       leases,
       training_run_id
  FROM rrcm.worker_health
 WHERE state <> 'gone'
    OR silent_seconds < 3600
 ORDER BY name
