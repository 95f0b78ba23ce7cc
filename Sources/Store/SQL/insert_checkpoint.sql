-- name: insert_checkpoint
-- Records a checkpoint under a name. The same content again keeps what was recorded and gets one more name.
WITH added AS (
  INSERT INTO rrcm.checkpoint (checkpoint_digest, kind, configuration, run_id, source)
  VALUES ($1, $3, $4::jsonb, $5, $6)
  ON CONFLICT (checkpoint_digest) DO NOTHING
)
INSERT INTO rrcm.checkpoint_name (name, checkpoint_digest)
VALUES ($2, $1)
ON CONFLICT ON CONSTRAINT checkpoint_name_pkey DO UPDATE
   SET named_at = now()
