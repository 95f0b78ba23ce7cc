-- name: register_worker
-- A new epoch of a worker name. What an earlier epoch held is handed back by the sweep. A process that lost its standing
-- after it was asked to drain is still asked; one that is started anew works. One in quarantine stays gone until a person releases it.
INSERT INTO rrcm.worker AS w (name, host, pid, device, software, process_since)
VALUES ($1, $2, $3, $4, $5, now() - make_interval(secs => $6))
ON CONFLICT (name) DO UPDATE
   SET epoch = w.epoch + 1,
       state = CASE
         WHEN w.quarantined_at IS NOT NULL THEN 'gone'
         WHEN w.state = 'draining' AND w.host = excluded.host AND w.pid = excluded.pid THEN w.state
         ELSE 'live'
       END,
       host = excluded.host,
       pid = excluded.pid,
       device = excluded.device,
       software = excluded.software,
       numerics_ids = '{}',
       samples_per_second = NULL,
       process_since = excluded.process_since,
       registered_at = now(),
       beat_at = now()
RETURNING worker_id, epoch, quarantine_reason
