-- name: extend_lease
-- Keeps a range for its present holder. No row back means the lease is lost: finish the chunk in hand, post it, claim anew.
UPDATE rrcm.lease
   SET deadline_at = now() + make_interval(secs => $4)
 WHERE lease_id = $1
   AND worker_id = $2
   AND epoch = $3
RETURNING lease_id
