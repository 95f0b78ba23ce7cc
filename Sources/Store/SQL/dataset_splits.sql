-- name: dataset_splits
SELECT split,
       count(*) AS images
  FROM rrcm.dataset_image
 WHERE dataset_digest = $1
 GROUP BY split
 ORDER BY split
