-- name: find_dataset
-- By name, by digest, or by a digest's first digits (8 or more).
SELECT dataset_digest,
       name,
       channels,
       height,
       width,
       classes,
       image_count,
       source,
       to_char(imported_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS imported_at
  FROM rrcm.image_set
 WHERE name = $1
    OR dataset_digest = $1
    OR (length($1) >= 8 AND dataset_digest LIKE $1 || '%' AND $1 ~ '^[0-9a-f]+$')
 ORDER BY (name = $1) DESC
 LIMIT 2
