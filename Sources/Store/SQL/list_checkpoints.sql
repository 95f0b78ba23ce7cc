-- name: list_checkpoints
SELECT checkpoint_digest,
       name,
       kind,
       configuration::text AS configuration,
       run_id,
       source,
       created_at::text AS created_at
  FROM rrcm.checkpoint
 ORDER BY created_at
