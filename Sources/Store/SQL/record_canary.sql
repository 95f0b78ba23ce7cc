-- name: record_canary
-- The first worker's digest is recorded, a second worker with the same one makes it trusted. Returns what is recorded.
INSERT INTO rrcm.canary AS c (checkpoint_digest, numerics_id, logits_digest, first_worker_id)
VALUES ($1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT canary_pkey DO UPDATE
   SET second_worker_id = CASE
         WHEN c.second_worker_id IS NULL
          AND c.first_worker_id <> excluded.first_worker_id
          AND c.logits_digest = excluded.logits_digest THEN excluded.first_worker_id
         ELSE c.second_worker_id
       END,
       trusted_at = CASE
         WHEN c.second_worker_id IS NULL
          AND c.first_worker_id <> excluded.first_worker_id
          AND c.logits_digest = excluded.logits_digest THEN now()
         ELSE c.trusted_at
       END
RETURNING logits_digest, trusted_at IS NOT NULL AS trusted
