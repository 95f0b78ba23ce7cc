-- name: hold_item
-- Sets an item aside that must not be certified, with the reason.
WITH held AS (
  UPDATE rrcm.item
     SET state = 'held',
         error = $2::text
   WHERE item_id = $1
     AND state IN ('open', 'claimed')
  RETURNING item_id, run_id
)
INSERT INTO rrcm.event (kind, run_id, detail)
SELECT 'item_held', held.run_id, format('item %s: %s', held.item_id, $2::text)
  FROM held
