-- name: dataset_images
SELECT image_index,
       split,
       label,
       source,
       image_digest
  FROM rrcm.dataset_image
 WHERE dataset_digest = $1
 ORDER BY image_index
