-- name: delete_items
-- Items with their votes and certificates; before their run, whose noise levels they refer to.
DELETE FROM rrcm.item
 WHERE run_id = ANY ($1::bigint[])
