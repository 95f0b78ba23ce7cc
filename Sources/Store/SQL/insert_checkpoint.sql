-- name: insert_checkpoint
-- Records a checkpoint; importing the same content again gives it the newer name.
INSERT INTO rrcm.checkpoint (checkpoint_digest, name, kind, configuration, run_id, source)
VALUES ($1, $2, $3, $4::jsonb, $5, $6)
ON CONFLICT (checkpoint_digest) DO UPDATE
   SET name = excluded.name,
       created_at = now()
