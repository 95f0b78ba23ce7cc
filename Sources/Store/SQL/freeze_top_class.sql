-- name: freeze_top_class
-- Writes down the class that selection chose, once. Returns what stands: another aggregator may have been first. No row back means
-- that votes were voided since revision $3: the choice may rest on them.
UPDATE rrcm.item
   SET top_class = coalesce(top_class, $2)
 WHERE item_id = $1
   AND revision = $3
RETURNING top_class
