"""Who may come in and who did what, for operators. What is shown once is on the page that answers, and
nowhere else."""
