-- name: held_leases
-- What a worker's present registration holds by the database's account, to find claims whose answer was lost.
SELECT lease_id
  FROM rrcm.lease
 WHERE worker_id = $1
   AND epoch = $2
