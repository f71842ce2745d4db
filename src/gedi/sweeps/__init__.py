"""How many clusters? Trainings on halves of the data, compared."""
