-- name: run_leases
SELECT l.lease_id
  FROM rrcm.lease l
  JOIN rrcm.item i USING (item_id)
 WHERE i.run_id = $1
 ORDER BY l.lease_id
