-- name: register_worker
-- A new epoch of a worker name. What an earlier epoch held is handed back by the sweep.
INSERT INTO rrcm.worker AS w (name, host, pid, device, software)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE
   SET epoch = w.epoch + 1,
       state = 'live',
       host = excluded.host,
       pid = excluded.pid,
       device = excluded.device,
       software = excluded.software,
       numerics_ids = '{}',
       samples_per_second = NULL,
       registered_at = now(),
       beat_at = now()
RETURNING worker_id, epoch
