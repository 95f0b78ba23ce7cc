-- name: imported_logs
-- The noise levels of one imported run, or of all.
SELECT l.import_id,
       l.name,
       l.source,
       l.sigma::text AS sigma,
       l.n,
       l.alpha,
       l.row_count,
       l.files,
       l.file_digests,
       l.notes,
       to_char(l.imported_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS imported_at
  FROM rrcm.imported_level l
 WHERE $1::bigint IS NULL
    OR l.import_id = $1
 ORDER BY l.import_id, l.sigma
