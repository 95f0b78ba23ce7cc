-- name: list_datasets
SELECT d.dataset_digest,
       d.name,
       d.channels,
       d.height,
       d.width,
       d.classes,
       d.image_count,
       d.source,
       d.imported_at::text AS imported_at
  FROM rrcm.dataset d
 ORDER BY d.name
