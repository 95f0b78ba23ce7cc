-- name: lock_stranded
-- Locks the items that repinning run $1 to numerics id $2 reopens. The lock is one that posts wait for, and which waits for
-- those under way: what they store is seen, and voided, by the next statement of the transaction.
SELECT i.item_id
  FROM rrcm.item i
 WHERE i.run_id = $1
   AND i.numerics_id IS DISTINCT FROM $2::text
   AND i.item_id IN (SELECT s.item_id FROM rrcm.stranded_item s WHERE s.run_id = $1 AND s.pinned)
 ORDER BY i.item_id
   FOR UPDATE OF i
