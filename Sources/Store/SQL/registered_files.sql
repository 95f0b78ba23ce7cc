-- name: registered_files
-- Image sets and checkpoints that the store should hold; a checkpoint once, under one of its names.
SELECT 'image set' AS kind,
       name,
       dataset_digest AS digest
  FROM rrcm.dataset
 UNION ALL
SELECT 'checkpoint',
       (SELECT min(n.name) FROM rrcm.checkpoint_name n WHERE n.checkpoint_digest = c.checkpoint_digest),
       c.checkpoint_digest
  FROM rrcm.checkpoint c
 ORDER BY 1, 2
