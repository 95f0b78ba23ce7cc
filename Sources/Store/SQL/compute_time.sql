-- name: compute_time
SELECT item_id,
       sum(compute_ms) / 1000 AS seconds
  FROM rrcm.chunk_count
 WHERE item_id = ANY ($1::bigint[])
 GROUP BY item_id
