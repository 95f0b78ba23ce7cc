-- name: list_checkpoints
-- One row per name: a checkpoint with two names is listed twice.
SELECT c.checkpoint_digest,
       n.name,
       c.kind,
       c.configuration::text AS configuration,
       c.run_id,
       c.source,
       c.created_at::text AS created_at
  FROM rrcm.checkpoint c
  JOIN rrcm.checkpoint_name n USING (checkpoint_digest)
 ORDER BY n.named_at, n.name
