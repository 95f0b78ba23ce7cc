-- name: find_checkpoint
-- By the number of the run that made it, by name (the one that got it last), by digest, or by a digest's first digits
-- (8 or more).
SELECT c.checkpoint_digest,
       coalesce(given.name, latest.name) AS name,
       c.kind,
       c.configuration::text AS configuration,
       c.run_id,
       c.source,
       to_char(c.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at
  FROM rrcm.checkpoint c
  LEFT JOIN rrcm.job made ON made.checkpoint_digest = c.checkpoint_digest AND made.run_id::text = $1
  LEFT JOIN rrcm.checkpoint_name given ON given.checkpoint_digest = c.checkpoint_digest AND given.name = $1
 CROSS JOIN LATERAL (
   SELECT n.name
     FROM rrcm.checkpoint_name n
    WHERE n.checkpoint_digest = c.checkpoint_digest
    ORDER BY n.named_at DESC
    LIMIT 1
 ) AS latest
 WHERE made.run_id IS NOT NULL
    OR given.name IS NOT NULL
    OR c.checkpoint_digest = $1
    OR (length($1) >= 8 AND c.checkpoint_digest LIKE $1 || '%' AND $1 ~ '^[0-9a-f]+$')
 ORDER BY (made.run_id IS NOT NULL) DESC, (given.name IS NOT NULL) DESC, given.named_at DESC, c.created_at DESC
 LIMIT 1
