-- name: find_checkpoint
-- By name (the newest), by digest, or by a digest's first digits (8 or more).
SELECT checkpoint_digest,
       name,
       kind,
       configuration::text AS configuration,
       run_id,
       source,
       created_at::text AS created_at
  FROM rrcm.checkpoint
 WHERE name = $1
    OR checkpoint_digest = $1
    OR (length($1) >= 8 AND checkpoint_digest LIKE $1 || '%' AND $1 ~ '^[0-9a-f]+$')
 ORDER BY (name = $1) DESC, created_at DESC
 LIMIT 1
