-- name: lock_poster
-- Goes before what a worker posts: until the post is committed the worker cannot be quarantined, and once it is, no row comes back.
SELECT worker_id
  FROM rrcm.worker
 WHERE worker_id = $1
   AND quarantined_at IS NULL
   FOR KEY SHARE
