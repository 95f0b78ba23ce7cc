-- name: list_checkpoints
-- One row per name: a checkpoint with two names is listed twice.
SELECT c.checkpoint_digest,
       n.name,
       c.kind,
       c.configuration::text AS configuration,
       c.run_id,
       c.source,
       to_char(c.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at
  FROM rrcm.checkpoint c
  JOIN rrcm.checkpoint_name n USING (checkpoint_digest)
 ORDER BY n.named_at, n.name
