-- Undoes 0002: drops the views; nothing stored is lost.
DROP VIEW
  rrcm.queue_depth, rrcm.worker_health, rrcm.accuracy_at_radius, rrcm.certificate_result, rrcm.run_progress;
