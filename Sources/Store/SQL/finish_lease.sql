-- name: finish_lease
-- Gives up a lease whose every unit is posted. Somebody else's lease is never touched.
DELETE FROM rrcm.lease
 WHERE lease_id = $1
   AND worker_id = $2
   AND epoch = $3
RETURNING lease_id
