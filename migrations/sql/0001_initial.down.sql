-- Undoes 0001: drops every table, view and type with all that was stored. The bookkeeping table stays.
DROP TABLE
  rrcm.event, rrcm.canary, rrcm.metric, rrcm.job, rrcm.certificate, rrcm.disagreement, rrcm.chunk_count, rrcm.lease,
  rrcm.gap, rrcm.item, rrcm.certification_sigma, rrcm.certification, rrcm.worker, rrcm.dataset_image CASCADE;
DROP TABLE rrcm.checkpoint_name, rrcm.checkpoint, rrcm.run, rrcm.dataset CASCADE;
DROP FUNCTION rrcm.total(int[]), rrcm.refuse_update();
DROP TYPE rrcm.run_kind, rrcm.run_state, rrcm.item_state, rrcm.job_state, rrcm.worker_state;
