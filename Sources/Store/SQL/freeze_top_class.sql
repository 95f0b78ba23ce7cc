-- name: freeze_top_class
-- Writes down the class that selection chose, once. Returns what stands: another aggregator may have been first.
UPDATE rrcm.item
   SET top_class = coalesce(top_class, $2)
 WHERE item_id = $1
RETURNING top_class
