-- name: list_datasets
SELECT d.dataset_digest,
       d.name,
       d.channels,
       d.height,
       d.width,
       d.classes,
       d.image_count,
       d.source,
       to_char(d.imported_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS imported_at
  FROM rrcm.dataset d
 ORDER BY d.name
