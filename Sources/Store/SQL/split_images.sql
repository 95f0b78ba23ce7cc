-- name: split_images
-- Indices of one split in ascending order, with labels.
SELECT image_index,
       label
  FROM rrcm.dataset_image
 WHERE dataset_digest = $1
   AND split = $2
 ORDER BY image_index
